// Fine-tunings on images under attacks and noise: what a stage leaves, and what a claim makes of
// it.
#include "experiments/robustness.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "experiments/attacked_answers.h"
#include "experiments/claims.h"
#include "experiments/report_sections.h"
#include "tensor/error.h"
#include "tests/experiments/study.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

constexpr const char* three_methods = R"(
name = "attacked"
seeds = [0, 1]
tasks = ["turned"]
methods = ["full", "core", "bent"]
[model]
path = "pretrain"
[pretrain]
task = "plain"
steps = 300
learning_rate = 3e-3
hidden_size = 32
intermediate_size = 48
num_hidden_layers = 2
num_attention_heads = 2
initializer_range = 0.06
batch_size = 32
[data]
synthetic_train_rows = 800
synthetic_dev_rows = 60
[train]
epochs = 3
learning_rate = 3e-3
[task.plain]
images = "synthetic"
[task.turned]
images = "synthetic"
transforms = ["rotated:-5..5"]
[method.core]
kind = "spectral"
rank = 8
[method.bent]
kind = "head"
family = "bent"
curvature = "trained"
[spectrum]
enabled = false
[robustness]
methods = ["full", "core", "bent"]
epsilons = [0.005, 0.3]
noise = [0.2]
steps = 5
step_share = 0
dev_rows = 40
[claim.x]
text = "t"
endpoint = "robustness-difference"
method = "core"
control = "full"
size = 0.005
)";

Config config_of(const std::vector<std::string>& overrides = {}) {
  return parse_config(three_methods, "attacked.toml", overrides);
}

std::string identity(const std::string& label, const std::vector<std::string>& overrides = {}) {
  const Plan plan = make_plan(config_of(overrides), named_inputs());
  return plan.stages[place_of(plan, label)].identity;
}

// ---- Config and plan ----------------------------------------------------------------------------

TEST(RobustnessConfig, ReadsBackAsWritten) {
  const Config config = config_of();
  EXPECT_EQ(parse_config(to_toml(config), "attacked.toml"), config);
  EXPECT_DOUBLE_EQ(config.robustness.step_of(0.02), 0.01) << "2.5 / 5 steps of the radius";
  EXPECT_DOUBLE_EQ(RobustnessSettings{}.step_of(0.02), 0.002);
}

TEST(RobustnessConfig, RefusesWhatCannotBeAttackedOrClaimed) {
  for (const auto& [override, message] : std::vector<std::pair<std::string, std::string>>{
           {"robustness.methods=[\"fall\"]",
            "\"methods\" in [robustness] names \"fall\", which is not among \"methods\"; did you "
            "mean \"full\"?"},
           {"robustness.epsilons=[0.005,0.005]", "\"epsilons\" in [robustness] names 0.005 twice"},
           {"robustness.epsilons=[1.5]", "\"epsilons\" in [robustness]"},
           {"robustness.methods=[\"full\",\"bent\"]",
            "\"method\" in [claim.x] needs \"core\" among \"methods\" in [robustness]"},
           {"claim.x.size=0.05",
            "\"size\" in [claim.x] is 0.05, which is not among \"epsilons\" in [robustness]: "
            "[0.005, "
            "0.3]"},
           {"claim.x.attack=\"noise\"",
            "\"size\" in [claim.x] is 0.005, which is not among \"noise\" in [robustness]: [0.2]"},
           {"claim.x.control=\"\"", "\"control\" in [claim.x] is missing"},
           {"claim.x.attack=\"fgsm\"", "\"attack\" in [claim.x]"},
           {"robustness={methods=[\"full\"],epsilons=[],noise=[]}",
            "\"epsilons\" in [robustness] and \"noise\" are both empty"}}) {
    try {
      config_of({override});
      ADD_FAILURE() << override << " is taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(message)) << override;
    }
  }
}

TEST(RobustnessConfig, NeedsImages) {
  try {
    parse_config("tasks = [\"mrpc\"]\nmethods = [\"full\"]\n[robustness]\nmethods = [\"full\"]\n",
                 "text.toml");
    ADD_FAILURE() << "pixels of text";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"methods\" in [robustness] attacks pixels, and task "
                                        "\"mrpc\" is text"));
  }
}

TEST(RobustnessPlan, ItsSettingsChangeItsStagesAloneAndItsMethodsNone) {
  const std::string stage = "robustness turned full seed 0", tuning = "finetune turned full seed 0";
  EXPECT_NE(identity(stage), identity(stage, {"robustness.steps=6"}));
  EXPECT_NE(identity(stage), identity("robustness turned full seed 1"));
  EXPECT_EQ(identity(stage), identity(stage, {"robustness.methods=[\"core\",\"full\"]"}));
  EXPECT_EQ(identity(tuning), identity(tuning, {"robustness.steps=6"}));
}

// ---- Answers ------------------------------------------------------------------------------------

class AttackedFiles : public FolderTest {};

TEST_F(AttackedFiles, ReadBackAsWritten) {
  TaskData data;
  data.task.labels = {"a", "b", "c"};
  data.dev = {{"one", "", 2, 0}, {"two", "", 0, 0}, {"three", "", 1, 0}};
  write_attacked_answers(
      folder_, {{{"clean", 0}, {{2, 0, 1}, {}}}, {{"pgd", 0.1}, {{1, 1, 1}, {}}}}, data.dev, data);
  const AttackedAnswers read = read_attacked_answers(folder_);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_THAT(read.at({"clean", 0}).predicted.classes, testing::ElementsAre(2, 0, 1));
  const Predictions& attacked = read.at({"pgd", 0.1});
  EXPECT_THAT(attacked.predicted.classes, testing::ElementsAre(1, 1, 1));
  EXPECT_THAT(attacked.expected.classes, testing::ElementsAre(2, 0, 1));
  EXPECT_EQ(attacked.halves.size(), 3u);
  EXPECT_EQ(attacked.metric, Metric::Accuracy);
}

TEST_F(AttackedFiles, NameWhatTheyCannotHold) {
  TaskData data;
  data.task.labels = {"a", "b"};
  data.dev = {{"one", "", 1, 0}};
  const auto refused = [&](const std::map<PixelChange, Answers>& answers) -> std::string {
    write_attacked_answers(folder_, answers, data.dev, data);
    try {
      read_attacked_answers(folder_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refused({{{"pgd_", 0.1}, {{1}, {}}}}), HasSubstr("\"pgd__0.1\" is no change"));
  EXPECT_THAT(refused({{{"pgd", 0.1}, {{1, 0}, {}}}}), HasSubstr("2 answers of pgd_0.1 to 1 rows"));
}

// ---- Claims -------------------------------------------------------------------------------------

constexpr std::int64_t images = 200;

/// Answers of which about a share is right; which ones differs from seed to seed.
Predictions answers(double share, std::int64_t seed) {
  Predictions one;
  for (std::int64_t row = 0; row < images; ++row) {
    const bool is_right =
        (row * 7 + seed * 31) % images < static_cast<std::int64_t>(share * double{images});
    one.expected.classes.push_back(1);
    one.predicted.classes.push_back(is_right ? 1 : 0);
    one.halves.push_back(row % 2 == 0 ? 0 : 1);
  }
  return one;
}

/// Clean accuracies are 0.9 of all.
ReportData attacked_data(const std::map<std::string, double>& accuracies,
                         const std::vector<std::string>& overrides = {}) {
  ReportData data;
  data.config = config_of(overrides);
  for (const auto& [method, accuracy] : accuracies) {
    for (const std::int64_t seed : {0, 1, 2}) {
      ReportRun run;
      run.task = "turned";
      run.method = method;
      run.seed = seed;
      run.result.metrics = {{"accuracy", 0.9}, {"majority_accuracy", 0.1}, {"dev_rows", images}};
      data.runs.push_back(run);
      ReportRobustness one;
      one.task = run.task;
      one.method = method;
      one.seed = seed;
      one.answers[{"clean", 0}] = answers(0.9, seed);
      one.answers[{"pgd", 0.005}] = answers(accuracy, seed);
      one.answers[{"noise", 0.2}] = answers(1 - accuracy, seed);
      data.robustness.push_back(std::move(one));
    }
  }
  return data;
}

ClaimAnswer answer_of(const ReportData& data) {
  return answer_claims(data).at(0);
}

TEST(RobustnessClaim, IsADifferenceUnderTheAttackOnTwoSides) {
  const ClaimAnswer held = answer_of(attacked_data({{"full", 0.3}, {"core", 0.5}}));
  EXPECT_EQ(held.verdict, Verdict::Held) << held.reason;
  EXPECT_NEAR(held.rows.back().value.estimate, 20, 1e-9);
  EXPECT_EQ(held.unit, "core − full, points under attack within ε = 0.005");
  EXPECT_EQ(answer_of(attacked_data({{"full", 0.5}, {"core", 0.3}})).verdict, Verdict::Not);
  EXPECT_EQ(answer_of(attacked_data({{"full", 0.5}, {"core", 0.5}})).verdict, Verdict::Undecided);
}

TEST(RobustnessClaim, OfNoiseReadsTheNoisyAnswers) {
  const ClaimAnswer answer = answer_of(attacked_data(
      {{"full", 0.3}, {"core", 0.5}}, {"claim.x.attack=\"noise\"", "claim.x.size=0.2"}));
  EXPECT_EQ(answer.verdict, Verdict::Not);
  EXPECT_NEAR(answer.rows.back().value.estimate, -20, 1e-9);
}

TEST(RobustnessClaim, IsNotDecidedWhereStagesAreMissing) {
  ReportData data = attacked_data({{"full", 0.3}, {"core", 0.5}});
  std::erase_if(data.robustness, [](const ReportRobustness& one) { return one.seed > 0; });
  const ClaimAnswer answer = answer_of(data);
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_TRUE(answer.rows.empty());
}

// Even rows are one half. "bent" is right on the even ones, "other" on the odd ones: each half's
// best answers the other half, all wrong, where a choice by the rows that it is scored on, or by
// clean ones, would say that half or more are right.
TEST(RobustnessClaim, ChoosesAFamilysMemberOnTheOtherHalfUnderTheAttack) {
  const std::vector<std::string> family = {
      "methods=[\"full\",\"core\",\"bent\",\"other\"]",
      "method.other={kind=\"head\",family=\"bent\",curvature=\"trained\",curvature_beta=0.5}",
      "robustness.methods=[\"full\",\"core\",\"bent\",\"other\"]",
      "method.bent.family=\"family\"",
      "method.other.family=\"family\"",
      "claim.x.method=\"family\""};
  ReportData data = attacked_data({{"full", 0}, {"bent", 0.5}, {"other", 0.5}}, family);
  for (ReportRobustness& one : data.robustness) {
    auto& classes = one.answers.at({"pgd", 0.005}).predicted.classes;
    for (std::size_t row = 0; row < classes.size() && one.method != "full"; ++row) {
      classes[row] = (row % 2 == 0) == (one.method == "bent") ? 1 : 0;
    }
  }
  const ClaimAnswer answer = answer_of(data);
  ASSERT_FALSE(answer.rows.empty()) << answer.reason;
  EXPECT_EQ(answer.rows.back().value.estimate, 0);
  EXPECT_THAT(answer.reason, HasSubstr("Chosen of family: bent (3 of 6 halves), other (3 of 6"));
}

TEST(RobustnessClaim, SaysWhyRowsCannotBeCut) {
  const std::vector<std::string> family = {"claim.x.method=\"core\"", "claim.x.control=\"bends\"",
                                           "method.bent.family=\"bends\""};
  ReportData data = attacked_data({{"full", 0.3}, {"core", 0.5}, {"bent", 0.4}}, family);
  for (ReportRobustness& one : data.robustness) {
    for (auto& [change, predictions] : one.answers) {
      std::fill(predictions.halves.begin(), predictions.halves.end(), std::uint8_t{0});
    }
  }
  const ClaimAnswer answer = answer_of(data);
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_THAT(answer.reason, HasSubstr("do not fill two halves"));
}

// ---- Report -------------------------------------------------------------------------------------

TEST(RobustnessSection, HasATableATaskAndAPanelAKind) {
  const Section section = robustness_section(attacked_data({{"full", 0.3}, {"core", 0.5}}));
  ASSERT_EQ(section.blocks.size(), 1u);
  const std::string& html = section.blocks[0].html;
  for (const char* part : {"clean</th>", "attacked<small>ε = 0.005", "noise<small>σ = 0.2",
                           "<span class=\"value\">30.0</span><span class=\"spread\"> ± 0.0"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  const Figure& figure = section.blocks[0].figure;
  ASSERT_EQ(figure.panels.size(), 2u);
  EXPECT_EQ(figure.panels[0].title, "turned, attacked");
  // A band and a line for each of two methods; the line begins at the images as they are.
  ASSERT_EQ(figure.panels[0].series.size(), 4u);
  EXPECT_THAT(figure.panels[0].series.back().x, testing::ElementsAre(0, 0.005));
  EXPECT_THAT(figure.panels[0].series.back().y, testing::ElementsAre(90, testing::_));
  EXPECT_EQ(figure.panels[1].x.label, "σ, share of the pixels' range");
  EXPECT_TRUE(robustness_section(ReportData{}).blocks.empty());
}

// ---- The stage ----------------------------------------------------------------------------------

class RobustnessStage : public Study {
 protected:
  std::filesystem::path run_attacked(const std::string& options = "") {
    write_file_atomically(folder_ / "attacked.toml", three_methods);
    const Outcome outcome = run("run attacked.toml --out run " + options);
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.error;
    return folder_ / "run";
  }
  /// The only stage whose folder begins so.
  static std::filesystem::path stage(const std::filesystem::path& run_folder,
                                     const std::string& prefix) {
    const auto found = stages(run_folder, prefix);
    EXPECT_EQ(found.size(), 1u) << prefix;
    return found.at(0);
  }
};

TEST_F(RobustnessStage, LeavesWhatTheFineTuningAnswersCleanAndAttacked) {
  const std::filesystem::path run_folder = run_attacked();
  ASSERT_EQ(stages(run_folder, "robustness-").size(), 6u);
  for (const char* name : {"turned-full-0", "turned-core-1", "turned-bent-0"}) {
    const auto folder = stage(run_folder, std::string("robustness-") + name);
    const AttackedAnswers all = read_attacked_answers(folder);
    EXPECT_EQ(all.size(), 4u);
    const Predictions before = read_predictions(stage(run_folder, std::string("finetune-") + name));
    std::vector<std::int64_t> first(40);
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
    const Predictions& clean = all.at({"clean", 0});
    EXPECT_EQ(clean.predicted.classes, select(before.predicted, first).classes) << name;
    EXPECT_EQ(clean.expected.classes, select(before.expected, first).classes);
    EXPECT_TRUE(std::equal(clean.halves.begin(), clean.halves.end(), before.halves.begin()));
    const auto accuracy = [&](const PixelChange& change) {
      const Predictions& one = all.at(change);
      return score(one.metric, one.predicted, one.expected);
    };
    EXPECT_LT(accuracy({"pgd", 0.3}), accuracy({"clean", 0})) << name;
    EXPECT_LE(accuracy({"pgd", 0.3}), accuracy({"pgd", 0.005})) << name;
    const std::string table = read_file(folder / "robustness.csv");
    EXPECT_THAT(table, HasSubstr("\npgd,0.3," + fmt::format("{}\n", accuracy({"pgd", 0.3}))));
  }
  const std::string report = read_file(run_folder / "report.html");
  for (const char* part : {"id=\"robustness\"", "Accuracy under changed pixels", "<b>x.</b>",
                           "points under attack within ε = 0.005"}) {
    EXPECT_THAT(report.find(part), testing::Ne(std::string::npos)) << part;
  }
}

TEST_F(RobustnessStage, IsTheSameComputedAgainAndIsNotWhereItIsThere) {
  const std::string less = "--set 'seeds=[0]' ";
  const std::filesystem::path run_folder = run_attacked(less);
  const auto first = stage(run_folder, "robustness-turned-full"),
             second = stage(run_folder, "robustness-turned-core");
  const std::string answers = read_file(first / "attacked.safetensors");
  std::filesystem::remove(first / "result.json");
  std::filesystem::remove(first / "attacked.safetensors");
  write_file_atomically(second / "robustness.csv", "told");
  run_attacked(less);
  EXPECT_EQ(read_file(first / "attacked.safetensors"), answers);
  EXPECT_EQ(read_file(second / "robustness.csv"), "told");
  run_attacked(less + "--keep results");
  EXPECT_TRUE(std::filesystem::exists(first / "attacked.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(stage(run_folder, "finetune-turned-full") / "model"));
}

}  // namespace
}  // namespace basis
