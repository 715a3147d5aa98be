#include "experiments/stage.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> labels_of(const Plan& plan, const std::vector<std::size_t>& places) {
  std::vector<std::string> labels;
  for (const std::size_t place : places) labels.push_back(plan.stages[place].label);
  return labels;
}

TEST(Plan, HasInputsBeforeWhatNeedsThem) {
  const Plan plan = example_plan();
  EXPECT_EQ(plan.stages.size(), 1u + 8 + 4 + 1);
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    for (const std::size_t input : plan.stages[i].inputs) EXPECT_LT(input, i);
  }
  EXPECT_EQ(plan.stages.front().kind, StageKind::Pretrain);
  EXPECT_EQ(plan.stages.back().kind, StageKind::Report);
  EXPECT_EQ(plan.stages.back().inputs.size(), plan.stages.size() - 1);
  const Stage& spectrum = plan.stages[place_of(plan, "spectrum mrpc full seed 1")];
  EXPECT_THAT(labels_of(plan, spectrum.inputs),
              ElementsAre("pretrain seed 0", "finetune mrpc full seed 1"));
}

TEST(Plan, FoldersAreDistinctAndReadable) {
  const Plan plan = example_plan();
  std::set<std::string> folders;
  for (const Stage& stage : plan.stages) folders.insert(stage.folder);
  EXPECT_EQ(folders.size(), plan.stages.size());
  const Stage& stage = plan.stages[place_of(plan, "finetune mrpc lora seed 1")];
  EXPECT_EQ(stage.folder, "finetune-mrpc-lora-1-" + stage.identity.substr(0, 8));
}

TEST(Plan, SelectsByLabelWithAllThatIsNeeded) {
  const Plan plan = example_plan();
  EXPECT_THAT(
      labels_of(plan, select_stages(plan, "spectrum mrpc*seed 0")),
      ElementsAre("pretrain seed 0", "finetune mrpc full seed 0", "spectrum mrpc full seed 0"));
  EXPECT_EQ(select_stages(plan, "").size(), plan.stages.size());
  EXPECT_THROW(select_stages(plan, "sst2"), Error);
}

constexpr const char* three_models =
    "tasks = [\"mrpc\"]\nmethods = [\"full\", \"lora\"]\n"
    "models = [\"small\", \"large\", \"large-best\"]\n"
    "[model]\npath = \"pretrain\"\n"
    "[model.small]\ndata_share = 0.25\n"
    "[model.large]\n"
    "[model.large-best]\ncheckpoint = \"best\"\n"
    "[pretrain]\nkeeps_best = true\n"
    "[method.lora]\nmodels = [\"small\"]\n"
    "[spectrum]\nenabled = false\n[report]\nenabled = false\n";

TEST(Plan, HasAPretrainingForEveryModelAndSeedThatTwoCheckpointsShare) {
  const Plan plan =
      make_plan(parse_config(three_models, "x.toml", {"pretrain.seeds=[0, 1]"}), named_inputs());
  std::vector<std::string> labels;
  for (const Stage& stage : plan.stages) labels.push_back(stage.label);
  EXPECT_THAT(
      labels,
      ElementsAre("pretrain small seed 0", "pretrain large seed 0", "pretrain small seed 1",
                  "pretrain large seed 1", "finetune mrpc full seed 0 on small/0",
                  "finetune mrpc lora seed 0 on small/0", "finetune mrpc full seed 0 on large/0",
                  "finetune mrpc full seed 0 on large-best/0",
                  "finetune mrpc full seed 0 on small/1", "finetune mrpc lora seed 0 on small/1",
                  "finetune mrpc full seed 0 on large/1",
                  "finetune mrpc full seed 0 on large-best/1"));
  std::set<std::string> identities;
  for (const Stage& stage : plan.stages) identities.insert(stage.identity);
  EXPECT_EQ(identities.size(), plan.stages.size());
}

TEST(Plan, ReadsAMatchedModelsPretrainingToo) {
  const Plan plan = make_plan(
      parse_config(three_models, "x.toml", {"model.large-best.checkpoint=matching small"}),
      named_inputs());
  const Stage& stage = plan.stages[place_of(plan, "finetune mrpc full seed 0 on large-best")];
  EXPECT_THAT(labels_of(plan, stage.inputs),
              ElementsAre("pretrain large seed 0", "pretrain small seed 0"));
}

TEST(Plan, TrainsATaskOnItsModelsAloneAndKnowsATextByItsContent) {
  const std::vector<std::string> overrides = {"tasks=[\"mrpc\", \"novels\"]", "methods=[\"full\"]",
                                              "task.novels.corpus=n.txt",
                                              "task.novels.models=[\"large\"]"};
  const Plan plan = make_plan(parse_config(three_models, "x.toml", overrides), named_inputs());
  std::vector<std::string> labels;
  for (const Stage& stage : plan.stages) labels.push_back(stage.label);
  EXPECT_THAT(labels, ElementsAre("pretrain small seed 0", "pretrain large seed 0",
                                  "finetune mrpc full seed 0 on small",
                                  "finetune mrpc full seed 0 on large",
                                  "finetune novels full seed 0 on large",
                                  "finetune mrpc full seed 0 on large-best"));
  const auto identity = [&](const std::string& content) {
    StageInputs inputs = named_inputs();
    inputs.hash_of_task = [&](const std::string& task) { return task + content; };
    const Plan other = make_plan(parse_config(three_models, "x.toml", overrides), inputs);
    return other.stages[place_of(other, "finetune novels full seed 0 on large")].identity;
  };
  EXPECT_NE(identity("one"), identity("another"));
}

constexpr const char* with_grid =
    "tasks = [\"mrpc\"]\nmethods = [\"full\", \"head\"]\nseeds = [0, 1]\n"
    "[train]\ntrain_rows = 9\n"
    "[grid]\nseeds = [7]\nhead = \"head\"\n"
    "[method.full]\nlearning_rates = [1e-3, 1e-4]\n"
    "[method.head]\nlearning_rates = [0.1]\n"
    "[spectrum]\nenabled = false\n[report]\nenabled = false\n";

TEST(Plan, TriesRatesBeforeTheRunsThatTakeTheBest) {
  const Plan plan = make_plan(parse_config(with_grid, "x.toml"), named_inputs());
  std::vector<std::string> labels;
  for (const Stage& stage : plan.stages) labels.push_back(stage.label);
  EXPECT_THAT(labels, ElementsAre("grid mrpc head 0.1 seed 7", "choice mrpc head",
                                  "grid mrpc full 0.001 seed 7", "grid mrpc full 0.0001 seed 7",
                                  "choice mrpc full", "finetune mrpc full seed 0",
                                  "finetune mrpc head seed 0", "finetune mrpc full seed 1",
                                  "finetune mrpc head seed 1"));
  const auto inputs = [&](const std::string& label) {
    return labels_of(plan, plan.stages[place_of(plan, label)].inputs);
  };
  EXPECT_THAT(inputs("grid mrpc full 0.001 seed 7"), ElementsAre("choice mrpc head"));
  EXPECT_THAT(inputs("choice mrpc full"),
              ElementsAre("choice mrpc head", "grid mrpc full 0.001 seed 7",
                          "grid mrpc full 0.0001 seed 7"));
  EXPECT_THAT(inputs("finetune mrpc full seed 1"),
              ElementsAre("choice mrpc head", "choice mrpc full"));
  EXPECT_THAT(inputs("finetune mrpc head seed 1"), ElementsAre("choice mrpc head"));
  EXPECT_EQ(plan.stages[place_of(plan, "grid mrpc full 0.0001 seed 7")].learning_rate, 1e-4);
}

TEST(Plan, ComputesAgainWhatAnotherGridChooses) {
  const auto identity = [](const std::vector<std::string>& overrides, const std::string& label) {
    const Plan plan = make_plan(parse_config(with_grid, "x.toml", overrides), named_inputs());
    return plan.stages[place_of(plan, label)].identity;
  };
  const std::string full = "finetune mrpc full seed 0", tried = "grid mrpc full 0.001 seed 7";
  EXPECT_NE(identity({}, full), identity({"method.full.learning_rates=[1e-3]"}, full));
  EXPECT_EQ(identity({}, tried), identity({"method.full.learning_rates=[1e-3]"}, tried));
  EXPECT_NE(identity({}, tried), identity({"grid.rows=5"}, tried));
  EXPECT_NE(identity({}, full), identity({"method.head.learning_rates=[0.2]"}, full));
}

TEST(Plan, NamesASizeOrItsNumbersAsTheSamePretraining) {
  const auto identity = [](const std::vector<std::string>& overrides) {
    return make_plan(parse_config("[pretrain]\n", "x.toml", overrides), named_inputs())
        .stages.front()
        .identity;
  };
  const std::string mini = identity({"pretrain.size=mini", "pretrain.steps=7"});
  EXPECT_EQ(identity({"pretrain.hidden_size=256", "pretrain.num_hidden_layers=4",
                      "pretrain.num_attention_heads=4", "pretrain.intermediate_size=1024",
                      "pretrain.tokens=28000"}),
            mini);
  EXPECT_NE(identity({"pretrain.size=small", "pretrain.steps=7"}), mini);
}

class PlanFile : public FolderTest {};

TEST_F(PlanFile, ReadsBack) {
  const Plan plan = example_plan();
  write_plan(folder_ / "plan.json", plan);
  const Plan again = read_plan(folder_);
  ASSERT_EQ(again.stages.size(), plan.stages.size());
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    EXPECT_EQ(again.stages[i].identity, plan.stages[i].identity);
    EXPECT_EQ(again.stages[i].inputs, plan.stages[i].inputs);
    EXPECT_EQ(again.stages[i].kind, plan.stages[i].kind);
    EXPECT_EQ(again.stages[i].seed, plan.stages[i].seed);
  }
}

TEST_F(PlanFile, ThatIsDamagedIsAnError) {
  const auto stage = [](const std::string& kind, const std::string& inputs) {
    return R"({"name": "x", "stages": [{"kind": ")" + kind + R"(", "label": "a", "folder": "b",)" +
           R"("identity": "c", "model": "", "pretrain_seed": 0, "task": "", "method": "", "seed": 0,)" +
           R"("learning_rate": 0,)" + R"("inputs": )" + inputs + "}]}";
  };
  struct Case {
    std::string text;
    const char* message;
  };
  for (const Case& bad :
       {Case{"", "plan.json:1: "}, Case{"[]", "not a JSON object"},
        Case{"{\"name\": 3}", "\"name\" is 3, not a string"},
        Case{R"({"name": "x", "stages": [{}]})", "\"stages[0].kind\" is missing"},
        Case{stage("other", "[]"), "\"stages[0].kind\" is \"other\", not a kind of stage"},
        Case{stage("pretrain", "[0]"), "\"stages[0].inputs\" names a stage that is not before"},
        Case{stage("pretrain", "[-1]"), "\"stages[0].inputs[0]\" is -1, not an integer from 0"}}) {
    write_file_atomically(folder_ / "plan.json", bad.text);
    try {
      read_plan(folder_);
      ADD_FAILURE() << "no error: " << bad.text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(bad.message));
    }
  }
  write_file_atomically(folder_ / "plan.json", stage("pretrain", "[]"));
  EXPECT_EQ(read_plan(folder_).stages.size(), 1u);
}

// ---- Identity: one change of a config, and which of four stages become others
// --------------------

struct Change {
  const char* what;
  std::vector<std::string> overrides;
  bool pretrain, full, lora, spectrum;  // has the identity changed?
};

void PrintTo(const Change& change, std::ostream* out) {
  *out << change.what;
}

class StageIdentity : public testing::TestWithParam<Change> {};

TEST_P(StageIdentity, ChangesExactlyWhenItShould) {
  const Plan before = example_plan();
  const Plan after = example_plan(GetParam().overrides);
  const auto has_changed = [&](const std::string& label) {
    return before.stages[place_of(before, label)].identity !=
           after.stages[place_of(after, label)].identity;
  };
  EXPECT_EQ(has_changed("pretrain seed 0"), GetParam().pretrain);
  EXPECT_EQ(has_changed("finetune mrpc full seed 0"), GetParam().full);
  EXPECT_EQ(has_changed("finetune mrpc lora seed 0"), GetParam().lora);
  EXPECT_EQ(has_changed("spectrum mrpc full seed 0"), GetParam().spectrum);
}

INSTANTIATE_TEST_SUITE_P(
    All, StageIdentity,
    testing::Values(
        Change{"nothing", {}, false, false, false, false},
        Change{"threads", {"threads=2"}, false, false, false, false},
        Change{"name", {"name=other"}, false, false, false, false},
        Change{"question", {"question=why"}, false, false, false, false},
        Change{"checkpoint interval",
               {"train.checkpoint_every=7", "pretrain.checkpoint_every=3"},
               false,
               false,
               false,
               false},
        Change{"order and number of seeds", {"seeds=[5, 0, 7]"}, false, false, false, false},
        Change{"another method",
               {"methods=[\"lora\", \"head\", \"full\"]"},
               false,
               false,
               false,
               false},
        Change{"another task's key",
               {"task.synthetic-sentiment.epochs=9"},
               false,
               false,
               false,
               false},
        Change{"rows of synthetic tasks", {"data.rows_seed=1"}, false, false, false, false},
        Change{"SGD's momentum under AdamW", {"train.momentum=0.5"}, false, false, false, false},
        Change{"the size of no perturbation",
               {"train.perturbation_size=0.1", "pretrain.perturbation_size=0.1"},
               false,
               false,
               false,
               false},
        Change{"a method beside its values",
               {"method.lora.perturbation=go", "method.lora.perturbation_size=0.1"},
               false,
               false,
               true,
               false},
        Change{"a pretraining beside its values",
               {"pretrain.perturbation=sam", "pretrain.perturbation_size=0.1"},
               true,
               true,
               true,
               true},
        Change{"a method's family in the report",
               {"method.lora.family=small"},
               false,
               false,
               false,
               false},
        Change{"alpha said in full", {"method.lora.alpha=8"}, false, false, false, false},
        Change{"head's rate said in full",
               {"train.head_learning_rate=2e-5"},
               false,
               false,
               false,
               false},
        Change{"default said in full",
               {"train.epochs=3", "method.lora.rank=8"},
               false,
               false,
               false,
               false},
        Change{"dtype", {"dtype=f64"}, true, true, true, true},
        Change{"TF32", {"tf32=true"}, true, true, true, true},
        Change{"CUDA graphs", {"cuda_graphs=false"}, false, false, false, false},
        Change{"pretraining", {"pretrain.learning_rate=2e-3"}, true, true, true, true},
        Change{"pretraining's seed, which is in the label too",
               {"data.language_seed=1"},
               true,
               true,
               true,
               true},
        Change{"head of the model", {"model.head=pooler"}, false, true, true, true},
        Change{"training", {"train.weight_decay=0"}, false, true, true, true},
        Change{"steps for epochs", {"train.steps=20"}, false, true, true, true},
        Change{"the task's key", {"task.mrpc.epochs=9"}, false, true, true, true},
        Change{"the method's rank", {"method.lora.rank=4"}, false, false, true, false},
        Change{"the method's rate", {"method.full.learning_rate=1e-4"}, false, true, false, true},
        Change{"ranks of the spectrum", {"spectrum.ranks=[3]"}, false, false, false, true}));

TEST(StageIdentityOfFiles, FollowsTheirContentAndNotTheirPath) {
  const std::string config = "tasks = [\"mrpc\"]\nmethods = [\"full\"]\n[model]\npath = \"a\"\n";
  StageInputs inputs = named_inputs();
  const auto identity = [&](const std::string& path) {
    const Plan plan = make_plan(parse_config(config, "x.toml", {"model.path=" + path}), inputs);
    return plan.stages[0].identity;
  };
  EXPECT_NE(identity("a"), identity("b"));
  inputs.hash_of_model_folder = [](const std::string&) { return std::string("same bytes"); };
  EXPECT_EQ(identity("a"), identity("b"));
  const std::string before = identity("a");
  inputs.hash_of_task = [](const std::string&) { return std::string("other rows"); };
  EXPECT_NE(identity("a"), before);
}

TEST(StageInputsOfPlan, AreAskedOnceAndNotForSyntheticTasks) {
  StageInputs inputs = named_inputs();
  int asked = 0;
  inputs.hash_of_task = [&](const std::string& task) {
    EXPECT_EQ(task, "mrpc");
    ++asked;
    return std::string("rows");
  };
  make_plan(parse_config(example_config, "example.toml"), inputs);
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace basis
