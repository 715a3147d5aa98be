// Landscapes of masked language modelling, and scores after another task, by the program itself.
#include <cmath>

#include <gmock/gmock.h>

#include "experiments/report_landscape.h"
#include "experiments/stage_store.h"
#include "tensor/safetensors.h"
#include "tests/experiments/study.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

constexpr const char* text_config = R"(
name = "text"
tasks = ["novels"]
methods = ["full"]
[model]
path = "pretrain"
[pretrain]
size = "tiny"
documents = 300
held_out_documents = 20
max_length = 32
steps = 60
snapshots = [0]
seeds = [3]
positions = "sinusoidal"
[task.novels]
corpus = "synthetic"
max_length = 24
train_rows = 64
epochs = 1
[spectrum]
enabled = false
[landscape]
methods = ["full"]
pretrained = true
kinds = ["most-case", "sft-case", "worst-case", "noise-relative", "noise-leading", "path"]
directions = 1
points = 4
relative_sigmas = [0.01, 2.0]
sigmas = [0.02]
draws = 2
path_draws = 2
worst_rows = 8
worst_steps = 2
)";

class Scored : public Study {
 protected:
  /// Runs a config that is named so; its run folder.
  std::filesystem::path run_config(const std::string& text, const std::string& name) {
    write_file_atomically(folder_ / (name + ".toml"), text);
    const Outcome outcome = run("run " + name + ".toml");
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.error;
    return folder_ / "runs" / name;
  }

  /// What the only stage whose folder begins so has found.
  static double metric_of(const std::filesystem::path& run_folder, const std::string& prefix,
                          const std::string& name) {
    const Plan plan = read_plan(run_folder);
    for (const Stage& stage : plan.stages) {
      if (!stage.folder.starts_with(prefix)) continue;
      return metric_named(StageStore(run_folder).result_of(stage).value(), name);
    }
    ADD_FAILURE() << "no stage " << prefix;
    return 0;
  }
};

class TextLandscape : public Scored {
 protected:
  /// What stands where nothing is moved is the model's own score.
  static ReportLandscape checked(const std::filesystem::path& stage) {
    ReportLandscape landscape = read_report_landscape(stage);
    for (const char* kind : {"most-case", "sft-case", "worst-case"}) {
      EXPECT_EQ(landscape.kinds.at(kind).at({0, 0}).at(0), landscape.centre) << kind;
      EXPECT_EQ(landscape.kinds.at(kind).size(), 4u) << kind;
    }
    for (const char* kind : {"noise-relative", "noise-leading", "path"}) {
      EXPECT_TRUE(landscape.kinds.contains(kind)) << kind;
    }
    return landscape;
  }
};

TEST_F(TextLandscape, OfAFineTuningOnPlainTextIsAboutItsHeldOutMaskedPositions) {
  const std::filesystem::path run_folder = run_config(text_config, "text");
  const auto found = stages(run_folder, "landscape-novels-full");
  ASSERT_EQ(found.size(), 1u);
  const ReportLandscape landscape = checked(found.front());
  EXPECT_EQ(landscape.centre, metric_of(run_folder, "finetune-novels", "masked_accuracy"));
  EXPECT_GT(landscape.chance, 0);
  EXPECT_LT(landscape.chance, 0.5);
  // Noise of twice each tensor's size leaves nothing that was learned.
  const auto& noise = landscape.kinds.at("noise-relative");
  EXPECT_LT(noise.at({2, 0}).at(0), landscape.centre);
  EXPECT_THAT(read_file(run_folder / "report.html"), HasSubstr("masked positions"));
}

/// ‖a - b‖ over all tensors of two model folders.
double distance_between(const std::filesystem::path& a, const std::filesystem::path& b) {
  const SafeTensors first = SafeTensors::open(a / "model.safetensors");
  const SafeTensors second = SafeTensors::open(b / "model.safetensors");
  double sum = 0;
  for (const std::string& name : first.names()) {
    const Tensor x = first.tensor(name), y = second.tensor(name);
    for (std::int64_t i = 0; i < x.element_count(); ++i) {
      const double difference = x.data<float>()[i] - y.data<float>()[i];
      sum += difference * difference;
    }
  }
  return std::sqrt(sum);
}

TEST_F(TextLandscape, OfAPretrainingGoesBackToTheWeightsThatItsSeedDrew) {
  const std::filesystem::path run_folder = run_config(text_config, "text");
  const auto found = stages(run_folder, "landscape-3");
  ASSERT_EQ(found.size(), 1u);
  const ReportLandscape landscape = checked(found.front());
  EXPECT_EQ(landscape.centre, metric_of(run_folder, "pretrain-", "held_out_accuracy"));
  const std::filesystem::path pretraining = stages(run_folder, "pretrain-").at(0);
  const double distance = distance_between(pretraining / "model", pretraining / "model-0");
  EXPECT_NEAR(landscape.distance, distance, 1e-5 * distance);
  const std::string report = read_file(run_folder / "report.html");
  EXPECT_THAT(report, HasSubstr("id=\"basins\""));
  EXPECT_THAT(report, HasSubstr("Held-out loss"));
}

// ---- After another task -------------------------------------------------------------------------

constexpr const char* retention_config = R"(
name = "kept"
tasks = ["synthetic-sentiment"]
methods = ["full"]
[model]
path = "pretrain"
[pretrain]
size = "tiny"
documents = 200
held_out_documents = 20
steps = 5
[data]
synthetic_train_rows = 800
synthetic_dev_rows = 200
[train]
learning_rate = 1e-3
head_learning_rate = 1e-2
max_length = 32
epochs = 3
perturbation = "go"
perturbation_size = 0.01
[spectrum]
enabled = false
[retention]
methods = ["full"]
task = "synthetic-entailment"
)";

TEST_F(Scored, AfterATaskThatMovesNothingIsKeptWhole) {
  const std::filesystem::path run_folder =
      run_config(std::string(retention_config) +
                     "[task.synthetic-entailment]\nlearning_rate = 1e-30\nsteps = 3\n",
                 "kept");
  const double before = metric_of(run_folder, "retention-", "score_before");
  EXPECT_EQ(before, metric_of(run_folder, "finetune-", "accuracy"));
  EXPECT_NE(before, metric_of(run_folder, "retention-", "chance")) << "nothing to keep";
  EXPECT_EQ(metric_of(run_folder, "retention-", "score_after"), before);
  EXPECT_EQ(metric_of(run_folder, "retention-", "kept"), 1);
}

TEST_F(Scored, AfterAnotherTaskIsWhatItsTrainingLeavesUnderTheFirstHead) {
  const std::filesystem::path run_folder = run_config(retention_config, "kept");
  EXPECT_EQ(stages(run_folder, "retention-").size(), 1u);
  const auto metric = [&](const char* name) { return metric_of(run_folder, "retention-", name); };
  EXPECT_NE(metric("score_after"), metric("score_before"));
  EXPECT_NEAR(
      metric("kept"),
      (metric("score_after") - metric("chance")) / (metric("score_before") - metric("chance")),
      1e-12);
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"Score after synthetic-entailment", "Kept"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST(RetentionPlan, TrainsWithoutAPerturbationAndLeavesOtherStagesAlone) {
  const auto folders = [](const std::string& text) {
    std::vector<std::string> names;
    for (const Stage& stage : make_plan(parse_config(text, "x.toml"), named_inputs()).stages) {
      if (stage.kind != StageKind::Retention && stage.kind != StageKind::Report) {
        names.push_back(stage.folder);
      }
    }
    return names;
  };
  const std::string with(retention_config);
  EXPECT_EQ(folders(with), folders(with.substr(0, with.find("[retention]"))));
  const Config config = parse_config(with + "[task.synthetic-entailment]\nepochs = 7\n", "x.toml");
  EXPECT_EQ(config.retention_train().epochs, 7);
  EXPECT_EQ(config.train.perturbation, "go");
  EXPECT_EQ(config.retention_train().perturbation, "none");
}

}  // namespace
}  // namespace basis
