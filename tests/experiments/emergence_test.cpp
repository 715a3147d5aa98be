#include "experiments/emergence.h"

#include <atomic>
#include <cmath>
#include <optional>
#include <set>

#include <gmock/gmock.h>

#include "data/batch.h"
#include "experiments/data_root.h"
#include "experiments/model_folder.h"
#include "experiments/number_table.h"
#include "experiments/pretrain_corpus.h"
#include "experiments/report_data.h"
#include "experiments/snapshots.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "nn/checkpoint.h"
#include "nn/masked_language_model.h"
#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/experiments/study.h"

namespace basis {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// ---- Quantities on hand-made weights ------------------------------------------------------------

TEST(WeightMoments, EndWhereTheFinalWeightIsAndBeginWhereTheInitialOneIs) {
  const std::vector<Matrix> weights = {random_gaussian(9, 6, 1, 0), random_gaussian(9, 6, 2, 0),
                                       random_gaussian(9, 6, 3, 0)};
  const auto moments = weight_moments(weights, {true, 6});
  ASSERT_EQ(moments.size(), 3u);
  for (const auto curve : {&SidedCurves::u, &SidedCurves::v}) {
    const Curve &to_itself = moments[2].from_final.*curve,
                &at_start = moments[0].from_initial.*curve;
    ASSERT_EQ(to_itself.size(), 6u);
    for (std::size_t k = 0; k < 6; ++k) {
      EXPECT_LT(to_itself[k], 1e-27);
      EXPECT_LT(at_start[k], 1e-27);
      // From the beginning to the end as far as from the end to the beginning.
      EXPECT_NEAR((moments[2].from_initial.*curve)[k], (moments[0].from_final.*curve)[k], 1e-12);
    }
    // All of v's space at k = d turns nowhere; elsewhere unrelated weights share little.
    EXPECT_GT((moments[1].from_final.*curve)[0], 0.1);
    EXPECT_GT((moments[1].from_initial.*curve)[0], 0.1);
  }
  EXPECT_EQ(moments[2].change_to_final, 0);
  EXPECT_NEAR(moments[0].change_to_final,
              frobenius_norm(subtract(weights[0], weights[2])) / frobenius_norm(weights[2]), 1e-14);
}

TEST(WeightMoments, WithoutAnInitialWeightSayNothingOfIt) {
  const std::vector<Matrix> weights = {random_gaussian(4, 5, 1, 0), random_gaussian(4, 5, 2, 0)};
  for (const WeightMoment& moment : weight_moments(weights, {false, 99})) {
    EXPECT_TRUE(moment.from_initial.u.empty());
    EXPECT_EQ(moment.from_final.u.size(), 4u) << "cut to the rank";
  }
}

// u_1 of diag(3, 2, 1) turned by 0.4 into the fourth dimension, v as it was.
TEST(WeightMoments, OfAKnownRotationOverlapByItsSquaredCosine) {
  constexpr double angle = 0.4;
  Matrix final(4, 3), turned(4, 3);
  for (std::int64_t i = 0; i < 3; ++i) final(i, i) = turned(i, i) = static_cast<double>(3 - i);
  turned(0, 0) = 3 * std::cos(angle);
  turned(3, 0) = 3 * std::sin(angle);
  const auto moments = weight_moments(std::vector<Matrix>{turned, final}, {true, 3});
  const double kept = std::cos(angle) * std::cos(angle);
  for (std::int64_t k = 1; k <= 3; ++k) {
    const auto at = static_cast<std::size_t>(k - 1);
    const auto count = static_cast<double>(k);
    EXPECT_NEAR(1 - moments[0].from_final.u[at], (kept + count - 1) / count, 1e-12) << k;
    EXPECT_NEAR(1 - moments[1].from_initial.u[at], (kept + count - 1) / count, 1e-12) << k;
    EXPECT_LT(moments[0].from_final.v[at], 1e-27) << k;
  }
  EXPECT_NEAR(moments[0].change_to_final, 3 * 2 * std::sin(angle / 2) / std::sqrt(14.0), 1e-12);
}

TEST(WeightMoments, OfUnrelatedWeightsOverlapAsChanceSays) {
  constexpr std::int64_t out = 200, in = 150, k = 32;
  const auto moments = weight_moments(
      std::vector<Matrix>{random_gaussian(out, in, 1, 0), random_gaussian(out, in, 2, 0)},
      {false, k});
  for (const auto& [curve, d] :
       {std::pair{&SidedCurves::u, double{out}}, std::pair{&SidedCurves::v, double{in}}}) {
    // The variance of ‖PᵀQ‖²_F / k of two Haar subspaces is 2(d-k)²/(d²(d-1)(d+2)).
    const double deviation = (d - k) / d * std::sqrt(2 / ((d - 1) * (d + 2)));
    EXPECT_NEAR(1 - (moments[0].from_final.*curve)[k - 1], k / d, 5 * deviation);
  }
}

// A change of 1 % that is Gaussian itself turns a basis as its control does; one of 10 % in the
// basis alone does not turn it, and its control turns a hundred times as far.
TEST(WeightMoments, HaveAControlOfTheSameDistance) {
  const Matrix final = random_gaussian(120, 80, 1, 0);
  const double small = 0.01 * frobenius_norm(final);
  Matrix larger = final;
  scale(larger, 1.1);
  const std::vector<Matrix> weights = {add(final, random_of_norm(120, 80, small, 2)), larger,
                                       final};
  const auto moments = weight_moments(weights, {false, 16, 7});
  for (const auto curve : {&SidedCurves::u, &SidedCurves::v}) {
    const double turned = (moments[0].from_final.*curve)[15];
    // Draws differ by the few pairs of vectors across the boundary that lie close together.
    EXPECT_GT((moments[0].gaussian.*curve)[15], 0.2 * turned);
    EXPECT_LT((moments[0].gaussian.*curve)[15], 5 * turned);
    EXPECT_LT((moments[1].from_final.*curve)[15], 1e-20);
    EXPECT_GT((moments[1].gaussian.*curve)[15], 10 * turned);
    EXPECT_EQ((moments[2].gaussian.*curve)[15], (moments[2].from_final.*curve)[15]);
  }
}

TEST(DirectionUse, IsTheSizeOfTheTextAlongEachRightSingularVector) {
  constexpr std::int64_t rows = 50, in = 7;
  const Matrix weight = random_gaussian(5, in, 1, 0), text = random_gaussian(rows, in, 2, 0);
  Matrix second_moment = multiply_at_b(text, text);
  scale(second_moment, 1.0 / rows);
  const DirectionUse use = direction_use(weight, second_moment);
  const Svd decomposition = svd(weight);
  ASSERT_EQ(use.sigma, decomposition.sigma);
  const Matrix along = multiply(text, decomposition.v);
  for (std::int64_t i = 0; i < decomposition.rank(); ++i) {
    double squares = 0;
    for (std::int64_t row = 0; row < rows; ++row) squares += along(row, i) * along(row, i);
    EXPECT_NEAR(use.input_rms.at(static_cast<std::size_t>(i)), std::sqrt(squares / rows), 1e-12);
  }
}

// ---- Config and plan ----------------------------------------------------------------------------

constexpr const char* pretrain_config =
    "name = \"x\"\nmodels = [\"a\", \"a-early\", \"b\"]\n[model]\npath = \"pretrain\"\n"
    "[model.a]\n[model.a-early]\ncheckpoint = \"9\"\n[model.b]\ndata_share = 0.5\n"
    "[pretrain]\nsteps = 10\nseeds = [0, 1]\nsnapshots = [0, 9]\n[emergence]\nenabled = true\n";

TEST(EmergenceStages, AreOneForEachPretrainingHoweverManyModelsShareIt) {
  const Plan plan = make_plan(parse_config(pretrain_config, "x.toml"), named_inputs());
  std::set<std::string> labels;
  for (const Stage& stage : plan.stages) {
    if (stage.kind != StageKind::Emergence) continue;
    labels.insert(stage.label);
    ASSERT_EQ(stage.inputs.size(), 1u);
    EXPECT_EQ(plan.stages[stage.inputs[0]].kind, StageKind::Pretrain);
    EXPECT_EQ(plan.stages[stage.inputs[0]].seed, stage.pretrain_seed);
  }
  EXPECT_THAT(labels, UnorderedElementsAre("emergence a seed 0", "emergence a seed 1",
                                           "emergence b seed 0", "emergence b seed 1"));
}

TEST(EmergenceStages, BecomeOthersWithTheirRanksTheirTextAndTheirPretraining) {
  const auto identity = [](const std::vector<std::string>& overrides) {
    const Plan plan = make_plan(parse_config(pretrain_config, "x.toml", overrides), named_inputs());
    return plan.stages[place_of(plan, "emergence b seed 1")].identity;
  };
  const std::string before = identity({});
  EXPECT_EQ(identity({"threads=1", "emergence.text_rows=64"}), before);
  for (const char* change :
       {"emergence.ranks=[4]", "emergence.text_rows=63", "pretrain.steps=11"}) {
    EXPECT_NE(identity({change}), before) << change;
  }
}

TEST(EmergenceConfig, WithoutSnapshotsToReadIsAnErrorThatSaysSo) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      parse_config(text, "x.toml");
      return "no error";
    } catch (const Error& error) {
      return error.what();
    }
  };
  const std::string own = "name = \"x\"\n[pretrain]\nsteps = 9\n";
  const std::string enabled = "[emergence]\nenabled = true\n";
  EXPECT_THAT(message(own + enabled),
              HasSubstr("x.toml:5: \"enabled\" in [emergence] needs \"snapshots\" in [pretrain]"));
  EXPECT_EQ(message(own + "snapshots = [0]\n" + enabled), "no error");
  EXPECT_EQ(message(own + "[emergence]\n"), "no error");
  EXPECT_THAT(message("tasks = [\"mrpc\"]\nmethods = [\"full\"]\n" + enabled),
              HasSubstr("needs a table [pretrain]"));
  EXPECT_THAT(message(own + "snapshots = [0]\n" + enabled + "ranks = []\n"),
              HasSubstr("\"ranks\" in [emergence] must name at least one"));
  EXPECT_THAT(message(own + "snapshots = [0]\n" + enabled + "ranks = [2, 2]\n"),
              HasSubstr("\"ranks\" in [emergence] names 2 twice"));
  std::string models = pretrain_config;
  models.replace(models.find("data_share = 0.5"), 16, "snapshots = []  ");
  EXPECT_THAT(message(models), HasSubstr("needs \"snapshots\" in [model.b]"));
}

// ---- The study ----------------------------------------------------------------------------------

/// σ_i rms(v_iᵀx), i = 1, ..., from the inputs themselves, one row after the other.
std::vector<double> plain_functional_spectrum(const std::filesystem::path& model_folder,
                                              const Config& config, const std::string& name) {
  Compute compute;
  Checkpoint checkpoint(model_folder);
  MaskedLanguageModel model(compute.backend(), compute.memory(), BertConfig::read(model_folder),
                            &checkpoint, ModelOptions{});
  std::vector<double> inputs;
  Svd decomposition;
  for (EncoderLayer& layer : model.bert().encoder().layers) {
    for (const MatrixKind kind : all_matrix_kinds) {
      Linear& linear = layer.matrix(kind);
      if (linear.weight().name() != name) continue;
      decomposition = svd(to_matrix(linear.weight().value().view()));
      linear.set_observer([&](const Tensor& x, std::int64_t tokens) {
        const std::vector<float> rows = host_floats(compute.backend(), x.rows(0, tokens));
        inputs.insert(inputs.end(), rows.begin(), rows.end());
      });
    }
  }
  const WordPieceTokenizer tokenizer = load_tokenizer(model_folder);
  const EncodedDataset text =
      read_pretrain_corpus(config.pretrain_for(""), 0, 0, tokenizer, DataRoot("nowhere"), [] {
      }).held_out;
  for (std::int32_t row = 0; row < config.emergence.text_rows; ++row) {
    const std::vector<std::int32_t> one = {row};
    const Batch batch = make_batch(compute.backend(), compute.memory(), text, one, 0);
    Context context{compute.backend(), compute.arena()};
    model.bert().hidden(context, inputs_of(batch));
  }
  const std::int64_t in = decomposition.in();
  const std::int64_t tokens = std::ssize(inputs) / in;
  EXPECT_EQ(tokens, config.emergence.text_rows * config.pretrain.max_length);
  const Matrix along = multiply(Matrix(tokens, in, std::move(inputs)), decomposition.v);
  std::vector<double> functional;
  for (std::int64_t i = 0; i < along.columns(); ++i) {
    double squares = 0;
    for (std::int64_t t = 0; t < tokens; ++t) squares += along(t, i) * along(t, i);
    functional.push_back(decomposition.sigma.at(static_cast<std::size_t>(i)) *
                         std::sqrt(squares / static_cast<double>(tokens)));
  }
  return functional;
}

TEST_F(Study, EmergenceFollowsTheBasisThroughPretraining) {
  const std::filesystem::path run_folder = run_reduced("emergence");
  const auto found = stages(run_folder, "emergence-");
  ASSERT_EQ(found.size(), 2u) << "a pretraining seed each";
  const ReportEmergence emergence = read_report_emergence(found.front());
  EXPECT_EQ(emergence.held_out_loss.x,
            (std::vector<double>{0, 12288, 28672, 53248, 102400, 151552}));
  for (const auto& [k, curve] : emergence.with_final) {
    ASSERT_EQ(curve.y.size(), 6u) << k;
    EXPECT_NEAR(curve.y.back(), 1, 1e-12) << k;
    EXPECT_LT(curve.y.front(), curve.y[3]) << k;
    EXPECT_NEAR(emergence.with_initial.at(k).y.front(), 1, 1e-12) << k;
    EXPECT_NEAR(emergence.with_initial.at(k).y.back(), curve.y.front(), 1e-9) << k;
  }
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"id=\"emergence\"", "corrected overlap", "Functional spectrum"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }

  const Config config = load_config(run_folder / "config.toml");
  const auto pretraining = stages(run_folder, "pretrain-").front();
  const std::string name = "encoder.layer.1.intermediate.dense.weight";
  static const std::vector<TableColumn> columns = {{"tokens"}, {"matrix"}, {"i"}, {"functional"}};
  for (const auto& [folder, tokens] : {std::pair{"model-0", 0.0}, std::pair{"model", 151552.0}}) {
    const std::vector<double> wanted =
        plain_functional_spectrum(pretraining / folder, config, name);
    NumberTable table(found.front() / "functional.csv", columns);
    std::size_t i = 0;
    while (table.next()) {
      if (table.number(0) != tokens || table.text(1) != name) continue;
      // The config's bf16 keeps 8 bits of an activation; their errors average over 2048 tokens.
      ASSERT_LT(i, wanted.size());
      EXPECT_NEAR(table.number(3), wanted[i], 0.01 * wanted[i]) << folder << " " << i;
      ++i;
    }
    EXPECT_EQ(i, wanted.size());
  }
}

TEST_F(Study, EmergenceReadsSnapshotsBeforeTheyAreRemoved) {
  const std::filesystem::path run_folder =
      run_reduced("emergence", "--keep results --set 'pretrain.seeds=[0]'");
  const auto pretraining = stages(run_folder, "pretrain-").front();
  EXPECT_FALSE(std::filesystem::exists(pretraining / "model-0"));
  EXPECT_TRUE(std::filesystem::exists(pretraining / "snapshots.json"));
  for (const char* table : {"emergence.csv", "functional.csv"}) {
    EXPECT_TRUE(std::filesystem::exists(stages(run_folder, "emergence-").front() / table));
  }
}

// ---- The stage without the program --------------------------------------------------------------

/// A pretrain stage of a hand-made run, and the emergence stage behind it.
class EmergenceStage : public Study {
 protected:
  void SetUp() override {
    Study::SetUp();
    write_file_atomically(folder_ / "x.toml",
                          "name = \"x\"\n[pretrain]\nsteps = 3\nbatch_size = 2\ndocuments = 50\n"
                          "held_out_documents = 20\nsnapshots = [300]\nkeeps_best = true\n"
                          "evaluate_every = 1\n[emergence]\nenabled = true\nranks = [4, 200]\n"
                          "text_rows = 2\n");
    const Outcome outcome = run("run x.toml --out r --only pretrain");
    ASSERT_EQ(outcome.status, 0) << outcome.error;
    plan_ = read_plan(folder_ / "r");
    plan_.config = load_config(folder_ / "r" / "config.toml");
    store_.emplace(folder_ / "r");
    stage_ = &plan_.stages.at(place_of(plan_, "emergence seed 0"));
  }

  StageContext context(const std::filesystem::path& folder) const {
    std::filesystem::create_directories(folder);
    const Stage& pretraining = plan_.stages.at(0);
    StageContext context{plan_, *stage_, *store_, folder, {}, &data_};
    context.inputs.push_back({&pretraining, store_->folder_of(pretraining), {}});
    return context;
  }

  Plan plan_;
  DataRoot data_{"nowhere"};
  std::optional<StageStore> store_;
  const Stage* stage_ = nullptr;
};

TEST_F(EmergenceStage, LeavesOutTheBestModelAndEmptyFieldsWhereNoBeginningWasKept) {
  add_snapshot(store_->folder_of(plan_.stages.at(0)), {"best", 256, 1});
  StageContext stage = context(folder_ / "e");
  const StageResult result = run_emergence(stage);
  static const std::vector<TableColumn> columns = {{"tokens"}, {"k"}, {"overlap_initial"}};
  NumberTable rows(folder_ / "e" / "emergence.csv", columns);
  std::set<double> tokens;
  std::set<std::int64_t> ranks;
  std::int64_t count = 0;
  while (rows.next()) {
    tokens.insert(rows.number(0));
    ranks.insert(rows.place(1));
    EXPECT_EQ(rows.text(2), "");
    ++count;
  }
  EXPECT_EQ(tokens, (std::set<double>{512, 768})) << "300 is reached after two steps of 256";
  EXPECT_EQ(ranks, (std::set<std::int64_t>{4})) << "no matrix has 200 pairs";
  EXPECT_EQ(count, 2 * 2 * 12);
  EXPECT_EQ(result.metrics.front().first, "overlap_quarter");
  EXPECT_TRUE(std::isnan(result.metrics[0].second)) << "before the first snapshot";
}

TEST_F(EmergenceStage, HasTheSameBitsOnAnyNumberOfThreads) {
  std::vector<std::string> tables;
  for (const std::int64_t threads : {1, 2}) {
    plan_.config.threads = threads;
    const auto folder = folder_ / std::to_string(threads);
    StageContext stage = context(folder);
    run_emergence(stage);
    tables.push_back(read_file(folder / "emergence.csv"));
  }
  EXPECT_EQ(tables[0], tables[1]);
}

TEST_F(EmergenceStage, StopsBetweenTwoMatricesAndLeavesNoTable) {
  const std::atomic<bool> stop = true;
  StageContext stage = context(folder_ / "e");
  stage.stop_flag = &stop;
  EXPECT_THROW(run_emergence(stage), Cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "e"));
}

TEST_F(EmergenceStage, WithoutAnEarlierSnapshotSaysWhereToNameOne) {
  std::filesystem::remove(store_->folder_of(plan_.stages.at(0)) / "snapshots.json");
  add_snapshot(store_->folder_of(plan_.stages.at(0)), {"final", 768, 5});
  StageContext stage = context(folder_ / "e");
  try {
    run_emergence(stage);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("kept nothing before its end at 768 tokens"));
  }
}

// ---- Its tables in the report -------------------------------------------------------------------

TEST_F(EmergenceStage, TablesBecomeMeansOverMatricesAndRelativeSpectra) {
  write_file_atomically(folder_ / "emergence.csv",
                        "tokens,held_out_loss,matrix,side,k,overlap_final,overlap_initial,chance,"
                        "change_to_final,overlap_gaussian\n"
                        "0,7,a,u,4,0.5,1,0.5,1,0.5\n0,7,b,u,4,0.75,1,0.5,3,0.5\n"
                        "8,5,a,u,4,1,0.5,0.5,0,1\n8,5,b,u,4,1,,0.5,0,1\n"
                        "0,7,a,v,8,1,1,1,2,1\n");
  write_file_atomically(folder_ / "functional.csv",
                        "tokens,matrix,i,sigma,input_rms,functional\n"
                        "8,layer.0.query,1,7,1,3\n8,layer.0.query,2,1,1,1\n"
                        "8,layer.1.query,1,14,1,3\n8,layer.1.query,2,2,1,1\n");
  const ReportEmergence emergence = read_report_emergence(folder_);
  ASSERT_EQ(emergence.with_final.size(), 1u) << "at k = d nothing is defined";
  EXPECT_EQ(emergence.with_final.at(4).y, (std::vector<double>{0.25, 1}));
  EXPECT_EQ(emergence.with_initial.at(4).y, (std::vector<double>{1, 0}));
  EXPECT_EQ(emergence.gaussian.at(4).y, (std::vector<double>{0, 1}));
  EXPECT_EQ(emergence.held_out_loss.y, (std::vector<double>{7, 5}));
  EXPECT_EQ(emergence.change_to_final.y, (std::vector<double>{2, 0}));
  const ReportUse& use = emergence.use.at(matrix_kind("layer.0.query"));
  EXPECT_NEAR(use.sigma.at(0), 1.4, 1e-12) << "7 / sqrt((49 + 1) / 2)";
  EXPECT_NEAR(use.functional.at(1), 1 / std::sqrt(5.0), 1e-12);
  EXPECT_TRUE(use.sigma_initial.empty());
  write_file_atomically(folder_ / "functional.csv",
                        "tokens,matrix,i,sigma,input_rms,functional\n8,a,2,7,1,3\n");
  EXPECT_THROW(read_report_emergence(folder_), Error);
}

}  // namespace
}  // namespace basis
