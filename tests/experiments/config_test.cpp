#include "experiments/config.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/config_fields.h"
#include "experiments/nearest.h"
#include "tensor/error.h"

namespace basis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* smallest = "tasks = [\"mrpc\"]\nmethods = [\"full\"]\n";

std::string message_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(text, "experiment.toml", overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Config, FillsInDefaultsAndTheNameOfTheFile) {
  const Config config = parse_config(smallest, "somewhere/quick.toml");
  EXPECT_EQ(config.name, "quick");
  EXPECT_THAT(config.seeds, ElementsAre(0));
  EXPECT_EQ(config.train, TrainSettings{});
  EXPECT_EQ(config.method.at("full").kind, "full");
  EXPECT_FALSE(config.has_pretrain);
}

TEST(Config, TakesAnIntegerWhereANumberIsMeant) {
  const Config config = parse_config(std::string(smallest) + "[train]\nclip_norm = 2\n", "a.toml");
  EXPECT_EQ(config.train.clip_norm, 2.0);
}

TEST(Config, BuiltInMethodsStartFromTheirOwnPlacement) {
  const Config config = parse_config(
      "tasks = [\"mrpc\"]\n"
      "methods = [\"lora\", \"spectral-band\", \"lora-xs\", \"pica\", \"vera\", \"dora\", \"ia3\", "
      "\"mine\"]\n"
      "[method.mine]\nkind = \"spectral\"\nrank = 0\nform = \"diagonal\"\n",
      "a.toml");
  EXPECT_THAT(config.method.at("lora").targets, ElementsAre("query", "value"));
  EXPECT_EQ(config.method.at("spectral-band").form, "band");
  EXPECT_EQ(config.method.at("spectral-band").targets.size(), 6u);
  EXPECT_EQ(config.method.at("lora-xs").kind, "lora-xs");
  EXPECT_EQ(config.method.at("lora-xs").targets.size(), 6u);
  EXPECT_EQ(config.method.at("pica").targets.size(), 6u);
  EXPECT_FALSE(config.method.at("pica").shared);
  EXPECT_EQ(config.method.at("vera").rank, 256);
  EXPECT_THAT(config.method.at("dora").targets, ElementsAre("query", "value"));
  EXPECT_THAT(config.method.at("ia3").targets, ElementsAre("key", "value", "ffn_out"));
  EXPECT_EQ(config.method.at("mine").form, "diagonal");
  EXPECT_EQ(config.method.at("mine").rank, 0);
}

TEST(Config, AMethodStandsAloneUnlessItIsOfAFamily) {
  const Config config = parse_config(
      "tasks = [\"mrpc\"]\nmethods = [\"full\", \"small\"]\n"
      "[method.small]\nkind = \"lora\"\nfamily = \"lora\"\n",
      "a.toml");
  EXPECT_EQ(config.method.at("full").family, "");
  EXPECT_EQ(config.method.at("small").family, "lora");
}

TEST(Config, MethodsLeadTasksAndTasksLeadTrain) {
  const Config config = parse_config(
      "tasks = [\"mrpc\", \"sst2\"]\nmethods = [\"full\", \"lora\"]\n"
      "[train]\nepochs = 3\nlearning_rate = 1e-5\n"
      "[task.mrpc]\nepochs = 5\nlearning_rate = 2e-5\n"
      "[method.lora]\nlearning_rate = 1e-3\n",
      "a.toml");
  EXPECT_EQ(config.train_for("sst2", "full").epochs, 3);
  EXPECT_EQ(config.train_for("mrpc", "full").epochs, 5);
  EXPECT_EQ(config.train_for("mrpc", "full").learning_rate, 2e-5);
  EXPECT_EQ(config.train_for("mrpc", "lora").epochs, 5);
  EXPECT_EQ(config.train_for("mrpc", "lora").learning_rate, 1e-3);
}

TEST(Config, OverridesAreAppliedInOrderBeforeTyping) {
  const Config config =
      parse_config(std::string(smallest) + "[train]\nepochs = 3\n", "a.toml",
                   {"train.epochs=4", "train.epochs=5", "seeds=[3, 4]", "method.lora.rank=2",
                    "dtype=f64", "methods=[\"full\", \"lora\"]", "question=a=b"});
  EXPECT_EQ(config.train.epochs, 5);
  EXPECT_THAT(config.seeds, ElementsAre(3, 4));
  EXPECT_EQ(config.method.at("lora").rank, 2);
  EXPECT_EQ(config.dtype, "f64");
  EXPECT_EQ(config.question, "a=b");
}

struct BadConfig {
  const char* what;
  std::string text;
  std::string message;  // a part that must be in it
};

void PrintTo(const BadConfig& bad, std::ostream* out) {
  *out << bad.what;
}

class ConfigErrors : public testing::TestWithParam<BadConfig> {};

TEST_P(ConfigErrors, NameThePlaceTheKeyAndWhatToDo) {
  EXPECT_THAT(message_of(GetParam().text), HasSubstr(GetParam().message));
}

std::string with(const std::string& more) {
  return smallest + more;
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigErrors,
    testing::Values(
        BadConfig{"syntax", "tasks = [", "experiment.toml:1: "},
        BadConfig{"a key twice", with("[train]\nepochs = 1\nepochs = 2\n"), "experiment.toml:5: "},
        BadConfig{"not UTF-8", "name = \"\xff\"\n", "experiment.toml:1: "},
        BadConfig{"unknown key", with("[train]\nlearning_rat = 1\n"),
                  "experiment.toml:4: unknown key \"learning_rat\" in [train]; did you mean "
                  "\"learning_rate\"?"},
        BadConfig{"unknown key of another table", with("[model]\nepochs = 1\n"),
                  "unknown key \"epochs\" in [model]; [train] has such a key"},
        BadConfig{"unknown key like no other", with("zzzzzzzz = 1\n"),
                  "experiment.toml:3: unknown key \"zzzzzzzz\"; `basis config` lists every key"},
        BadConfig{"unknown table", with("[trian]\nepochs = 1\n"),
                  "experiment.toml:3: unknown key \"trian\"; did you mean \"train\"?"},
        BadConfig{"a value for a table", with("train = 3\n"),
                  "experiment.toml:3: \"train\" must be a table [train], not an integer"},
        BadConfig{"text for integer", with("[train]\nepochs = \"3\"\n"),
                  "experiment.toml:4: \"epochs\" in [train] must be an integer, not a text"},
        BadConfig{"point for integer", with("[train]\nepochs = 3.0\n"),
                  "must be an integer, not a number with a point"},
        BadConfig{"list for integer", with("[train]\nepochs = [3]\n"),
                  "must be an integer, not a list"},
        BadConfig{"integer for list", with("seeds = 1\n"),
                  "experiment.toml:3: \"seeds\" must be a list of integers, not an integer"},
        BadConfig{"mixed list", with("seeds = [1, \"2\"]\n"),
                  "must be a list of integers, not a list of another kind"},
        BadConfig{"date", with("[train]\nepochs = 2020-01-01\n"), "not a date or a time"},
        BadConfig{"integer for truth", with("[train]\ngrouped = 1\n"),
                  "\"grouped\" in [train] must be true or false, not an integer"},
        BadConfig{"out of range", with("[train]\nepochs = 0\n"),
                  "\"epochs\" in [train] must be 1 to 100000, not 0"},
        BadConfig{"negative rate", with("[train]\nlearning_rate = -1e-3\n"),
                  "must be above 0, not -0.001"},
        BadConfig{"not a number", with("[train]\nclip_norm = nan\n"),
                  "must be at least 0, not nan"},
        BadConfig{"infinite", with("[train]\nlearning_rate = inf\n"), "must be above 0, not inf"},
        BadConfig{"unknown choice", with("[train]\nschedule = \"linaer\"\n"),
                  "must be linear | cosine | constant, not \"linaer\"; did you mean \"linear\"?"},
        BadConfig{"unknown dtype", with("dtype = \"f16\"\n"),
                  "must be f32 | bf16 | f64, not \"f16\""},
        BadConfig{"f64 on a GPU", with("device = \"cuda\"\ndtype = \"f64\"\n"),
                  "\"dtype\" f64 is for checks on the CPU"},
        BadConfig{"seed twice", with("seeds = [1, 1]\n"), "\"seeds\" names 1 twice"},
        BadConfig{"no seed", with("seeds = []\n"), "\"seeds\" must name at least one seed"},
        BadConfig{"negative seed", with("seeds = [-1]\n"), "\"seeds\" must be at least 0"},
        BadConfig{"name as path", with("name = \"../x\"\n"), "\"name\" must be letters, digits"},
        BadConfig{"task twice", "tasks = [\"mrpc\", \"mrpc\"]\nmethods = [\"full\"]\n",
                  "\"tasks\" names \"mrpc\" twice"},
        BadConfig{"unknown task", "tasks = [\"mrcp\"]\nmethods = [\"full\"]\n",
                  "experiment.toml:1: \"tasks\" names \"mrcp\", which is neither built in nor a "
                  "table [task.mrcp]; did you mean \"mrpc\"?"},
        BadConfig{"unknown method", "tasks = [\"mrpc\"]\nmethods = [\"spectral-cor\"]\n",
                  "did you mean \"spectral-core\"?"},
        BadConfig{"no tasks", "methods = [\"full\"]\n", "\"tasks\" must name at least one"},
        BadConfig{"no methods", "tasks = [\"mrpc\"]\n", "\"methods\" must name at least one"},
        BadConfig{"empty", "", "nothing to do"},
        BadConfig{"own key for a known task", with("[task.mrpc]\ntrain = \"x.tsv\"\n"),
                  "experiment.toml:4: \"train\" in [task.mrpc] belongs to tasks of your own"},
        BadConfig{"unknown key of a task", with("[task.mrpc]\nepoch = 1\n"),
                  "unknown key \"epoch\" in [task.mrpc]; did you mean \"epochs\"?"},
        BadConfig{"own task without a file", with("[task.sst]\nepochs = 1\n"),
                  "\"train\" in [task.sst] is missing"},
        BadConfig{"own task without classes",
                  with("[task.x]\ntrain = \"a\"\ndev = \"b\"\nfirst = \"t\"\nlabel = \"l\"\n"),
                  "\"labels\" in [task.x] must name at least two classes"},
        BadConfig{"regression with classes",
                  with("[task.x]\ntrain = \"a\"\ndev = \"b\"\nfirst = \"t\"\nlabel = \"l\"\n"
                       "regression = true\nlabels = [\"0\", \"1\"]\n"),
                  "experiment.toml:9: \"labels\" in [task.x] must be empty for regression"},
        BadConfig{"metric of another form",
                  with("[task.x]\ntrain = \"a\"\ndev = \"b\"\nfirst = \"t\"\nlabel = \"l\"\n"
                       "labels = [\"0\", \"1\"]\nmetrics = [\"pearson\"]\n"),
                  "pearson is a metric of regression"},
        BadConfig{"f1 of three classes",
                  with("[task.x]\ntrain = \"a\"\ndev = \"b\"\nfirst = \"t\"\nlabel = \"l\"\n"
                       "labels = [\"0\", \"1\", \"2\"]\nmetrics = [\"f1\"]\n"),
                  "f1 needs exactly two classes"},
        BadConfig{"bad table name", with("[task.\"a/b\"]\nepochs = 1\n"), "a task's name must be"},
        BadConfig{"method without a kind", with("[method.mine]\nrank = 1\n"),
                  "experiment.toml:3: \"kind\" in [method.mine] is missing"},
        BadConfig{"built-in name of another kind", with("[method.lora]\nkind = \"full\"\n"),
                  "\"kind\" in [method.lora] must be \"lora\""},
        BadConfig{"key of another kind", with("[method.full]\nrank = 8\n"),
                  "\"rank\" in [method.full] means nothing to kind \"full\""},
        BadConfig{"key of another form", with("[method.spectral-core]\nbandwidth = 2\n"),
                  "means nothing to kind \"spectral\", form \"core\""},
        BadConfig{"key of another adapter", with("[method.vera]\nalpha = 2\n"),
                  "\"alpha\" in [method.vera] means nothing to kind \"vera\""},
        BadConfig{"what only pica shares", with("[method.lora]\nshared = true\n"),
                  "\"shared\" in [method.lora] means nothing to kind \"lora\""},
        BadConfig{"rank 0 of pica", with("[method.pica]\nrank = 0\n"), "at least 1 for pica"},
        BadConfig{"vera merged", with("[method.vera]\napply = \"merged\"\n"),
                  "cannot be \"merged\" with vera"},
        BadConfig{"dora merged", with("[method.dora]\napply = \"merged\"\n"),
                  "cannot be \"merged\" with dora: it scales"},
        BadConfig{"curvature of full", with("[method.full]\ncurvature = \"trained\"\n"),
                  "\"curvature\" in [method.full] means nothing to kind \"full\""},
        BadConfig{"steering without a beta",
                  with("[method.s]\nkind = \"head\"\ncurvature = \"steered\"\n"),
                  "\"curvature_beta\" in [method.s] is missing: \"steered\" needs"},
        BadConfig{"training from the edge",
                  with("[method.s]\nkind = \"head\"\ncurvature = \"trained\"\n"
                       "curvature_beta = 1\n"),
                  "= 1 cannot be trained: start above 0 and below 1"},
        BadConfig{"beta of nothing", with("[method.s]\nkind = \"head\"\ncurvature_beta = 1\n"),
                  "\"curvature_beta\" in [method.s] means nothing"},
        BadConfig{"noise that shrinks", with("[landscape]\nsigmas = [0.2, 0.1]\n"),
                  "\"sigmas\" in [landscape] must ascend"},
        BadConfig{"a landscape of nobody", with("[landscape]\nmethods = [\"lora\"]\n"),
                  "\"methods\" in [landscape] names \"lora\", which is not among"},
        BadConfig{"a landscape of a pretraining that is none",
                  with("[landscape]\npretrained = true\n"),
                  "experiment.toml:4: \"pretrained\" in [landscape] needs a table [pretrain]"},
        BadConfig{"retention of nobody", with("[retention]\nmethods = [\"lora\"]\n"),
                  "\"methods\" in [retention] names \"lora\", which is not among"},
        BadConfig{"retention of an adapter",
                  "tasks = [\"mrpc\"]\nmethods = [\"lora\"]\n[retention]\nmethods = [\"lora\"]\n"
                  "task = \"rte\"\n",
                  "experiment.toml:4: \"methods\" in [retention] names \"lora\", which is of kind"},
        BadConfig{"retention after no task",
                  with("[retention]\nmethods = [\"full\"]\ntask = \"rtte\"\n"),
                  "experiment.toml:5: \"task\" in [retention] must name the other task, not "
                  "\"rtte\"; did you mean \"rte\"?"},
        BadConfig{"basins of one side",
                  with("[claim.c]\ntext = \"t\"\nendpoint = \"basin-ratio\"\nmethod = \"full\"\n"),
                  "\"control\" in [claim.c] is missing"},
        BadConfig{
            "sam without its rho", with("[method.full]\nperturbation = \"sam\"\n"),
            "experiment.toml:3: \"perturbation_size\" in [method.full] is missing: \"sam\" needs"},
        BadConfig{"a relative rho",
                  with("[train]\nperturbation = \"sam\"\nperturbation_size = 0.1\n"
                       "perturbation_relative = true\n"),
                  "\"perturbation_relative\" in [train] is of \"go\""},
        BadConfig{"relative to nothing", with("[train]\nperturbation_relative = true\n"),
                  "\"perturbation_relative\" in [train] means nothing without a perturbation"},
        BadConfig{"go without its sigma in pretraining",
                  with("[pretrain]\nsteps = 2\nperturbation = \"go\"\n"),
                  "\"perturbation_size\" in [pretrain] is missing: \"go\" needs its sigma"},
        BadConfig{"unknown perturbation", with("[train]\nperturbation = \"asam\"\n"),
                  "\"perturbation\" in [train]"},
        BadConfig{"rank of ia3", with("[method.ia3]\nrank = 2\n"),
                  "\"rank\" in [method.ia3] means nothing to kind \"ia3\""},
        BadConfig{"unknown target", with("[method.lora]\ntargets = [\"querry\"]\n"),
                  "did you mean \"query\"?"},
        BadConfig{"no target", with("[method.lora]\ntargets = []\n"), "at least one matrix"},
        BadConfig{"rank 0 of lora", with("[method.lora]\nrank = 0\n"), "at least 1 for lora"},
        BadConfig{"merged with dropout",
                  with("[method.lora]\napply = \"merged\"\nadapter_dropout = 0.1\n"),
                  "cannot be \"merged\" with adapter_dropout"},
        BadConfig{"pretrain without its table", with("[model]\npath = \"pretrain\"\n"),
                  "experiment.toml:4: \"path\" in [model] is \"pretrain\", but there is no table"},
        BadConfig{"heads that do not divide", with("[pretrain]\nnum_attention_heads = 3\n"),
                  "experiment.toml:4: \"num_attention_heads\" in [pretrain] must divide"},
        BadConfig{"two budgets", with("[pretrain]\nsteps = 3\nminutes = 2\n"),
                  "experiment.toml:5: \"minutes\" in [pretrain] stands beside another budget"},
        BadConfig{
            "a model without a table", with("models = [\"a\"]\n"),
            "experiment.toml:3: \"models\" names \"a\", which is neither built in nor a table"},
        BadConfig{"heads of one model",
                  with("models = [\"a\"]\n[model]\npath = \"pretrain\"\n[pretrain]\n"
                       "[model.a]\nnum_attention_heads = 3\n"),
                  "experiment.toml:8: \"num_attention_heads\" in [model.a] must divide"},
        BadConfig{"seeds of one model",
                  with("models = [\"a\"]\n[model]\npath = \"pretrain\"\n[pretrain]\n"
                       "[model.a]\nseeds = [3]\n"),
                  "experiment.toml:8: \"seeds\" belongs to [pretrain]"},
        BadConfig{
            "a checkpoint of a folder", with("[model]\ncheckpoint = \"best\"\n"),
            "experiment.toml:4: \"checkpoint\" in [model] is of a model that [pretrain] makes"},
        BadConfig{"a checkpoint that is none", with("[model]\ncheckpoint = \"bst\"\n"),
                  "did you mean \"best\"?"},
        BadConfig{"a match with nobody",
                  with("models = [\"a\"]\n[model]\npath = \"pretrain\"\n[pretrain]\n"
                       "[model.a]\ncheckpoint = \"matching b\"\n"),
                  "\"checkpoint\" in [model.a] matches \"b\", which is not among \"models\""},
        BadConfig{"a grid's seed that is reported",
                  with("[train]\ntrain_rows = 5\n[grid]\nseeds = [0]\n"
                       "[method.full]\nlearning_rates = [1]\n"),
                  "experiment.toml:6: \"seeds\" in [grid] names 0, which is among the reported"},
        BadConfig{"a grid without rows", with("[method.full]\nlearning_rates = [1e-3]\n"),
                  "a rate is chosen on training rows behind \"train_rows\""},
        BadConfig{"a rate of 0", with("[method.full]\nlearning_rates = [0.1, 0]\n"),
                  "experiment.toml:4: \"learning_rates\" in [method.full] must be above 0"},
        BadConfig{"rates that are no list", with("[method.full]\nlearning_rates = 1e-3\n"),
                  "must be a list of numbers, not a number with a point"},
        BadConfig{"a grid's head that is none", with("[grid]\nhead = \"full\"\n"),
                  "\"head\" in [grid] names \"full\", which is no method of kind head"},
        BadConfig{"a text task with labels",
                  "tasks = [\"t\"]\nmethods = [\"full\"]\n[task.t]\ncorpus = \"c\"\nlabel = "
                  "\"l\"\n",
                  "experiment.toml:5: \"label\" in [task.t] means nothing to a task of plain text"},
        BadConfig{"an adapter on text",
                  "tasks = [\"t\"]\nmethods = [\"full\", \"lora\"]\n[task.t]\ncorpus = \"c\"\n",
                  "[task.t] is plain text, which methods of kind full train on"},
        BadConfig{"surgery on text",
                  "tasks = [\"t\"]\nmethods = [\"full\"]\n[task.t]\ncorpus = "
                  "\"c\"\n[surgery]\nmethods = [\"full\"]\n",
                  "experiment.toml:6: [surgery] needs rows with labels"},
        BadConfig{"a task on a stranger", with("[task.mrpc]\nmodels = [\"a\"]\n"),
                  "experiment.toml:4: \"models\" in [task.mrpc] names \"a\""},
        BadConfig{"a claim on a stranger",
                  with("[claim.c]\ntext = \"t\"\nendpoint = \"rotation-ratio\"\nmethod = "
                       "\"full\"\ntasks = [\"cola\"]\n"),
                  "experiment.toml:7: \"tasks\" in [claim.c] names \"cola\""},
        BadConfig{"a claim on nobody knows which model",
                  with("models = [\"a\", \"b\"]\n[model.a]\n[model.b]\n[claim.c]\ntext = "
                       "\"t\"\nendpoint = \"rotation-ratio\"\nmethod = \"full\"\n"),
                  "\"models\" in [claim.c] must name the one of a, b"},
        BadConfig{"a slope over one model",
                  with("models = [\"a\"]\n[model]\npath = \"pretrain\"\n[model.a]\n[pretrain]\n"
                       "[claim.c]\ntext = \"t\"\nendpoint = \"data-slope\"\nmethod = "
                       "\"full\"\nmodels = [\"a\"]\n"),
                  "\"models\" in [claim.c] must name two or more"},
        BadConfig{"a slope over data that nobody knows",
                  with("models = [\"a\", \"b\"]\n[model.a]\n[model.b]\n"
                       "[claim.c]\ntext = \"t\"\nendpoint = \"data-slope\"\nmethod = "
                       "\"full\"\nmodels = [\"a\", \"b\"]\n"),
                  "names \"a\", whose data nobody knows"},
        BadConfig{"an unknown key of a model", with("[model.a]\ndata_shar = 1.0\n"),
                  "did you mean \"data_share\"?"},
        BadConfig{"spectrum of a stranger", with("[spectrum]\nmethods = [\"lora\"]\n"),
                  "which is not among \"methods\""},
        BadConfig{"rank twice", with("[spectrum]\nranks = [4, 4]\n"), "names 4 twice"}));

TEST(ConfigOverrides, AreNamedInErrors) {
  EXPECT_EQ(message_of(smallest, {"train.learning_rat=1"}),
            "--set train.learning_rat=1: unknown key \"learning_rat\" in [train]; did you mean "
            "\"learning_rate\"?");
  EXPECT_EQ(message_of(smallest, {"train.epochs=zero"}),
            "--set train.epochs=zero: \"epochs\" in [train] must be an integer, not a text");
  EXPECT_EQ(message_of(smallest, {"train.epochs=0"}),
            "--set train.epochs=0: \"epochs\" in [train] must be 1 to 100000, not 0");
  EXPECT_THAT(message_of(smallest, {"methods.lora.rank=8"}),
              HasSubstr("--set methods.lora.rank=8: \"methods\" is a list, not a table"));
  EXPECT_THAT(message_of(smallest, {"epochs"}), HasSubstr("expected key=value"));
  EXPECT_THAT(message_of(smallest, {"=3"}), HasSubstr("expected key=value"));
  EXPECT_THAT(message_of(smallest, {"a b=3"}), HasSubstr("--set a b=3: "));
}

TEST(ConfigOverrides, OfTheReducedFormComeFirst) {
  const std::string text = "reduced = [\"train.epochs=1\", \"train.steps=2\"]\n" +
                           std::string(smallest) + "[train]\nepochs = 9\n";
  EXPECT_EQ(parse_config(text, "a.toml").train.epochs, 9);
  const Config reduced = parse_config(text, "a.toml", {"train.steps=5"}, ConfigForm::Reduced);
  EXPECT_EQ(reduced.name, "a-reduced");
  EXPECT_EQ(reduced.train.epochs, 1);
  EXPECT_EQ(reduced.train.steps, 5);
  EXPECT_THROW(parse_config(smallest, "a.toml", {}, ConfigForm::Reduced), Error);
}

// A text that would end its line must not smuggle in a second key.
TEST(ConfigOverrides, WithANewlineAreTexts) {
  EXPECT_THAT(message_of(smallest, {"question=1\nseeds=[7]"}), HasSubstr("no error"));
  const Config config = parse_config(smallest, "a.toml", {"question=1\nseeds=[7]"});
  EXPECT_THAT(config.seeds, ElementsAre(0));
}

/// Every field of every table set to something that is not its default.
Config config_without_defaults() {
  return parse_config(
      "name = \"all\"\nquestion = \"Does \\\"it\\\"\\nwork \\u0001 \xc3\xa9?\"\nseeds = [3, 1]\n"
      "models = [\"a\", \"b\"]\nreduced = [\"train.epochs=1\", 'question=\"short\"']\n"
      "dtype = \"f64\"\nthreads = 2\ntasks = [\"mrpc\", \"my.own\", \"rating\"]\n"
      "methods = [\"full\", \"spectral-band\", \"x\"]\n"
      "[model]\npath = \"pretrain\"\nhead = \"pooler\"\n"
      "[pretrain]\nhidden_size = 96\nnum_attention_heads = 3\nlearning_rate = 3e-4\nsteps = 7\n"
      "[model.a]\ndata_share = 0.5\nsnapshots = [0, 9]\nhead = \"mean\"\n"
      "[model.b]\ncheckpoint = \"matching a\"\n"
      "[data]\nrows_seed = 4\n"
      "[train]\nepochs = 2\nlearning_rate = 1e-300\nclip_norm = 1e22\ngrouped = true\n"
      "[task.mrpc]\nepochs = 9\nclip_norm = 3\n"
      "[task.\"my.own\"]\ntrain = \"a\\\\b.tsv\"\ndev = \"d.tsv\"\nfirst = \"t\"\nlabel = \"l\"\n"
      "labels = [\"no\", \"yes\"]\nmetrics = [\"f1\", \"accuracy\"]\ngrouped = false\n"
      "[task.rating]\nformat = \"jsonl\"\ntrain = \"a\"\ndev = \"d\"\nfirst = \"t\"\nlabel = "
      "\"l\"\n"
      "regression = true\n"
      "[task.qnli]\nmodels = [\"b\"]\n"
      "[method.x]\nkind = \"lora\"\nalpha = 16\nrank = 4\ntargets = [\"key\"]\nlearning_rate = "
      "1e-3\n"
      "[emergence]\nranks = [3]\ntext_rows = 5\n[spectrum]\nranks = [2, 1]\nmethods = "
      "[\"x\"]\n[report]\ntitle = \"T\"\n",
      "a.toml");
}

TEST(ConfigToToml, ReadsBackAsTheSame) {
  for (const Config& config : {parse_config(smallest, "a.toml"), config_without_defaults()}) {
    const std::string text = to_toml(config);
    const Config again = parse_config(text, "b.toml");
    EXPECT_EQ(again, config) << text;
    EXPECT_EQ(to_toml(again), text);
  }
}

TEST(ConfigListing, NamesEveryKeyOfEveryTable) {
  const std::string listing = describe_config();
  for (const auto& field : fields<TrainSettings>()) {
    EXPECT_THAT(listing, HasSubstr("\n" + field.key + " = "));
  }
  for (const auto& field : fields<MethodSettings>()) {
    EXPECT_THAT(listing, HasSubstr("\n" + field.key + " = "));
  }
  EXPECT_THAT(listing, HasSubstr("1 to 100000"));
}

template <class Settings>
void expect_defaults_hold(const Settings& defaults) {
  for (const auto& field : fields<Settings>()) {
    EXPECT_TRUE(field.constraint.holds(field.get(defaults))) << field.key;
  }
}

TEST(ConfigFields, DefaultsAreWithinTheirRanges) {
  expect_defaults_hold(ModelSettings{});
  expect_defaults_hold(PretrainSettings{});
  expect_defaults_hold(DataSettings{});
  expect_defaults_hold(TrainSettings{});
  expect_defaults_hold(SpectrumSettings{});
  for (const std::string& name : known_methods()) expect_defaults_hold(method_preset(name));
}

TEST(EditDistance, CountsASwapOfNeighboursOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("mrcp", "mrpc"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace basis
