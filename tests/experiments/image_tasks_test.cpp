// Tasks of images: their rows, their stages and what fits which model.
#include <algorithm>
#include <numeric>

#include <gmock/gmock.h>

#include "data/batch.h"
#include "data/image_task.h"
#include "experiments/image_data.h"
#include "experiments/model_folder.h"
#include "experiments/plan_inputs.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_store.h"
#include "experiments/start_weights.h"
#include "experiments/task_scores.h"
#include "experiments/work.h"
#include "tensor/file.h"
#include "tests/data/idx_bytes.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

constexpr const char* two_tasks =
    "tasks = [\"turned\", \"noisy\"]\nmethods = [\"full\"]\n[model]\npath = \"pretrain\"\n"
    "[pretrain]\ntask = \"plain\"\nsteps = 3\nhidden_size = 16\nintermediate_size = 24\n"
    "num_hidden_layers = 1\nbatch_size = 8\n"
    "[data]\nsynthetic_train_rows = 60\nsynthetic_dev_rows = 20\n"
    "[task.plain]\nimages = \"synthetic\"\n"
    "[task.turned]\nimages = \"synthetic\"\ntransforms = [\"rotated:-30..30\"]\n"
    "[task.noisy]\nimages = \"synthetic\"\ntransforms = [\"noisy:0.2\"]\n";

Config config_of(const std::vector<std::string>& overrides = {}) {
  return parse_config(two_tasks, "images.toml", overrides);
}

std::string identity(const std::string& label, const std::vector<std::string>& overrides = {}) {
  const Plan plan = make_plan(config_of(overrides), named_inputs());
  return plan.stages[place_of(plan, label)].identity;
}

template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class ImageTasks : public FolderTest {
 protected:
  /// Four files in MNIST's layout: 8 x 8 images of one grey each.
  void write_set(const std::string& name, std::uint32_t train, std::uint32_t test) {
    make_folder(folder_ / name);
    for (const auto& [split, count] : {std::pair{"train", train}, std::pair{"t10k", test}}) {
      std::string pixels, labels;
      for (std::uint32_t i = 0; i < count; ++i) {
        pixels += std::string(64, static_cast<char>(20 * (i % 10) + 5));
        labels += static_cast<char>(i % 10);
      }
      const std::string prefix = (folder_ / name / split).string();
      write_file_atomically(prefix + "-images-idx3-ubyte", idx_bytes({count, 8, 8}, pixels));
      write_file_atomically(prefix + "-labels-idx1-ubyte", idx_bytes({count}, labels));
    }
  }
  TaskData load(const Config& config, const std::string& task) {
    return load_task(config, task, config.train_for(task, "full"), DataRoot(folder_));
  }
};

TEST_F(ImageTasks, ReadBackAsWrittenWithTheirPretraining) {
  const Config config = config_of({"task.plain.models=[]"});
  const Config again = parse_config(to_toml(config), "images.toml");
  EXPECT_EQ(again, config) << to_toml(config);
  EXPECT_THAT(to_toml(config), Not(HasSubstr("corpus"))) << "which means nothing here";
}

struct BadImages {
  const char* change;
  const char* message;
};

TEST_F(ImageTasks, RefuseKeysThatMeanNothingToThem) {
  const BadImages cases[] = {
      {"task.plain.label=\"l\"", "\"label\" in [task.plain] means nothing to a task of images"},
      {"task.plain.corpus=\"c\"", "\"corpus\" in [task.plain] means nothing to a task of images"},
      {"task.plain.max_length=9", "\"max_length\" in [task.plain] means nothing to a task of"},
      {"task.turned.transforms=[\"upside down\"]",
       "\"transforms\" in [task.turned] must be rotated"},
      {"task.plain.patch=0", "\"patch\" in [task.plain] must be 1 to 1024, not 0"},
      {"task.turned.patch=4",
       "\"patch\" in [task.turned] is 4, and [model] is pretrained on patches "
       "of 7 ([task.plain]): both must be alike"},
      {"task.mine={train=\"a\", patch=7}", "\"patch\" in [task.mine] belongs to a task of images"},
      {"task.mine={corpus=\"a\", patch=7}",
       "\"patch\" in [task.mine] means nothing to a task of plain text"},
      {"task.mrpc={patch=7}", "\"patch\" in [task.mrpc] belongs to tasks of your own"},
      {"pretrain.max_length=64",
       "\"max_length\" in [pretrain] means nothing to a pretraining on "
       "images: \"task\" is \"plain\""},
      {"pretrain.snapshots=[0]", "\"snapshots\" in [pretrain] means nothing to a pretraining on"},
      {"pretrain.architecture=\"perceptron\"",
       "\"intermediate_size\" in [pretrain] means nothing to a perceptron: \"architecture\" says "
       "so"},
      {"method.full.start=\"pixels\"", "\"start\" in [method.full] must be pretrained | random"},
      {"pretrain.task=\"plane\"",
       "\"task\" in [pretrain] is \"plane\", and no table [task.plane] "
       "names \"images\"; did you mean \"plain\"?"},
      {"pretrain.task=\"\"",
       "[task.turned] is images, and what [pretrain] makes for [model] reads "
       "text"},
      {"tasks=[\"mrpc\"]",
       "[task.mrpc] is text, and what [pretrain] makes for [model] reads images"},
      {"model.checkpoint=\"best\"",
       "\"checkpoint\" in [model] is \"best\", and a pretraining on "
       "images ([task.plain]) keeps its end alone"},
      {"emergence.enabled=true", "needs snapshots, which a pretraining on images ([task.plain])"},
  };
  for (const auto& [change, message] : cases) {
    EXPECT_THAT(error_of([&] { config_of({change}); }), HasSubstr(message)) << change;
  }
}

// The text model's keys stand in [pretrain]; the vision model sets its task.
TEST_F(ImageTasks, MayStandBesideTextWithAModelEach) {
  const Config config = parse_config(
      "tasks = [\"synthetic-sentiment\", \"plain\"]\nmethods = [\"full\"]\n"
      "models = [\"words\", \"shapes\"]\n[model]\npath = \"pretrain\"\n[model.words]\n"
      "[model.shapes]\ntask = \"plain\"\n[pretrain]\nmax_length = 64\ntokens = 99999\n"
      "[task.synthetic-sentiment]\nmodels = [\"words\"]\n"
      "[task.plain]\nimages = \"synthetic\"\nmodels = [\"shapes\"]\n",
      "both.toml");
  EXPECT_EQ(config.pretrain_for("words").steps, 49);
  EXPECT_EQ(config.pretrain_for("shapes").steps, 1000) << "not by the tokens of text";
  EXPECT_EQ(parse_config(to_toml(config), "both.toml"), config);
  const Plan plan = make_plan(config, named_inputs());
  EXPECT_EQ(plan.stages.size(), 2u + 2 * 2 + 1);
}

TEST_F(ImageTasks, HaveTheRowsThatDataSays) {
  const TaskData data = load(config_of(), "turned");
  EXPECT_EQ(data.train.size(), 60u);
  EXPECT_EQ(data.dev.size(), 20u);
  EXPECT_EQ(load(config_of({"train.train_rows=7"}), "turned").train.size(), 7u);
  // Dev stays the same when there are more rows to train on, and turned is not plain.
  const TaskData more = load(config_of({"data.synthetic_train_rows=90"}), "plain");
  const TaskData plain = load(config_of(), "plain");
  EXPECT_TRUE(std::ranges::equal(plain.images.set.image(60), more.images.set.image(90)));
  EXPECT_FALSE(std::ranges::equal(plain.images.set.image(60), data.images.set.image(60)));
  const TaskData other = load(config_of({"data.rows_seed=1"}), "turned");
  EXPECT_FALSE(std::ranges::equal(other.images.set.image(0), data.images.set.image(0)));
}

TEST_F(ImageTasks, ChooseRatesOnTrainingRowsBehindTheOthers) {
  const Config config = config_of({"grid.rows=10"});
  const TrainSettings train = config.train_for("turned", "full");
  const TaskData grid = load_grid_task(config, "turned", train, DataRoot(folder_));
  const TaskData all = load(config, "turned");
  ASSERT_EQ(grid.train.size(), 50u);
  ASSERT_EQ(grid.dev.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(grid.dev[i].image, all.train[50 + i].image);
}

TEST_F(ImageTasks, AreReadFromAFolderOfIdxFiles) {
  write_set("greys", 30, 20);
  const std::string alone = "tasks=[\"plain\"]";
  const Config config = config_of({alone, "task.plain.images=greys", "task.plain.patch=4"});
  const TaskData data = load(config, "plain");
  EXPECT_EQ(data.train.size(), 30u);
  EXPECT_EQ(data.dev[3].label, 3);
  const Config missing = config_of({"task.plain.images=greens"});
  EXPECT_THAT(error_of([&] { load(missing, "plain"); }), HasSubstr("greens: no such folder"));
  const Config patch = config_of({"task.plain.images=greys"});
  EXPECT_THAT(error_of([&] { load(patch, "plain"); }), HasSubstr("patches of 7 x 7 asked"));
}

TEST_F(ImageTasks, AreHashedByTheirFilesAndCountedForTheWorkAhead) {
  write_set("greys", 30, 20);
  const std::vector<std::string> overrides = {"task.turned.images=greys", "models=[\"m\"]",
                                              "task.turned.patch=4",      "task.plain.patch=4",
                                              "task.noisy.patch=4",       "model.m.path=pretrain"};
  const Config config = config_of(overrides);
  const DataRoot root(folder_);
  const std::string label = "finetune turned full seed 0 on m";
  const Plan plan = make_plan(config, inputs_under(config, root));
  const std::string before = plan.stages[place_of(plan, label)].identity;
  const WorkEstimate work(plan, root);
  // 3 epochs, 30 images of 4 patches, full: 3 x 2 x the layer's products, and attention.
  const double layer = 4.0 * 16 * 16 + 2 * 16 * 24, attention = 2.0 * 4 * 16;
  EXPECT_NEAR(work.flop(plan.stages[place_of(plan, label)]),
              3 * 30 * 4 * 3 * 2 * (layer + attention), 1);
  EXPECT_EQ(work.parameters("m"), (16 + 1 + 49 + 2) * 16 + 4 * 17 * 16 + 17 * 24 + 25 * 16 + 64);
  write_set("greys", 30, 10);
  const Plan after = make_plan(config, inputs_under(config, root));
  EXPECT_NE(after.stages[place_of(after, label)].identity, before);
}

TEST_F(ImageTasks, HaveWhatChangesThemInTheirIdentityAndNothingElse) {
  const std::string turned = "finetune turned full seed 0", pretrain = "pretrain seed 0";
  const std::string before = identity(turned), before_pretrain = identity(pretrain);
  for (const char* change :
       {"task.turned.transforms=[\"rotated:30\"]", "data.rows_seed=1",
        "data.synthetic_train_rows=61", "data.synthetic_dev_rows=21", "train.epochs=2"}) {
    EXPECT_NE(identity(turned, {change}), before) << change;
  }
  for (const char* same : {"train.max_length=64", "train.grouped=true", "data.language_seed=3"}) {
    EXPECT_EQ(identity(turned, {same}), before) << same;
  }
  for (const char* change : {"task.plain.transforms=[\"inverted\"]", "data.rows_seed=1",
                             "pretrain.data_share=0.5", "pretrain.steps=4"}) {
    EXPECT_NE(identity(pretrain, {change}), before_pretrain) << change;
    EXPECT_NE(identity(turned, {change}), before) << change << ", by its start";
  }
  EXPECT_EQ(identity(pretrain, {"task.noisy.transforms=[]"}), before_pretrain);
  const std::vector<std::string> finer = {"task.plain.patch=4", "task.turned.patch=4",
                                          "task.noisy.patch=4"};
  EXPECT_NE(identity(pretrain, finer), before_pretrain);
}

TEST_F(ImageTasks, HaveFloorsThatNobodyAnalyses) {
  const auto refused = [](const std::vector<std::string>& changes) {
    return error_of([&] { config_of(changes); });
  };
  const std::string floor = "method.full.start=\"pixels-linear\"";
  for (const char* table : {"spectrum", "sharing", "surgery", "landscape"}) {
    EXPECT_THAT(refused({floor, std::string(table) + ".methods=[\"full\"]"}),
                HasSubstr("\"start\" in [method.full] is \"pixels-linear\": [" +
                          std::string(table) + "] needs the model itself"));
  }
  EXPECT_THAT(refused({"method.floor={kind=\"head\", start=\"pixels-linear\"}",
                       "methods=[\"full\", \"floor\"]"}),
              HasSubstr("\"start\" in [method.floor] is \"pixels-linear\": it stands in the "
                        "model's place and takes \"kind\" full"));
  EXPECT_THAT(refused({floor, "tasks=[\"turned\", \"mrpc\"]"}),
              HasSubstr("[task.mrpc] is no task of images"));
  const Plan plan = make_plan(config_of({floor}), named_inputs());
  for (const Stage& stage : plan.stages) EXPECT_NE(stage.kind, StageKind::Spectrum);
}

TEST_F(ImageTasks, FloorsReadThePixelsOfTheModelsPatches) {
  BertConfig model;
  model.patch_size = 7;
  model.max_position_embeddings = 16;
  model.vocab_size = model.type_vocab_size = 0;
  MethodSettings method;
  EXPECT_EQ(start_config(model, method), model);
  for (const auto& [start, layers, width] :
       {std::tuple{"pixels-linear", 0, 28 * 28}, std::tuple{"pixels-perceptron", 1, 256}}) {
    method.start = start;
    const BertConfig floor = start_config(model, method);
    floor.validate(start);
    EXPECT_TRUE(floor.is_perceptron);
    EXPECT_EQ(floor.num_hidden_layers, layers);
    EXPECT_EQ(floor.hidden_size, width);
  }
}

TEST_F(ImageTasks, PretrainPerceptronsWithoutMatricesToAnalyse) {
  constexpr const char* text =
      "tasks = [\"plain\"]\nmethods = [\"full\", \"head\"]\n[model]\npath = \"pretrain\"\n"
      "[pretrain]\ntask = \"plain\"\nhidden_size = 16\narchitecture = \"perceptron\"\n"
      "[task.plain]\nimages = \"synthetic\"\n";
  const Plan plan = make_plan(parse_config(text, "images.toml"), named_inputs());
  for (const Stage& stage : plan.stages) EXPECT_NE(stage.kind, StageKind::Spectrum);
  const PretrainSettings pretrain = plan.config.pretrain_for("");
  EXPECT_EQ(pretrain.num_attention_heads, 0);
  EXPECT_EQ(pretrain.intermediate_size, 0);
  EXPECT_THAT(error_of([&] { parse_config(text, "images.toml", {"sharing.methods=[\"full\"]"}); }),
              HasSubstr("[sharing] compares matrices of an encoder, and [model] is a perceptron"));
  // Of what is no perceptron the key is no part of the identity.
  EXPECT_EQ(identity("pretrain seed 0", {"pretrain.architecture=\"transformer\""}),
            identity("pretrain seed 0"));
}

TEST_F(ImageTasks, MeetModelsThatReadThem) {
  Compute compute;
  BertConfig patches;
  patches.hidden_size = patches.intermediate_size = 8;
  patches.num_attention_heads = patches.num_hidden_layers = 1;
  BertConfig words = patches;
  words.vocab_size = 20;
  patches.patch_size = 4;
  patches.vocab_size = patches.type_vocab_size = 0;
  for (const auto& [name, config] : {std::pair{"vision", patches}, std::pair{"text", words}}) {
    make_folder(folder_ / name);
    save_encoder(folder_ / name, SequenceClassifier(compute.backend(), compute.memory(), config, 2,
                                                    nullptr, ModelOptions{}));
  }
  const Config config = config_of();
  const auto refused = [&](const char* model, const TaskSettings& task) {
    return error_of([&] { RowEncoder(folder_ / model, task, 128, nullptr); });
  };
  TaskSettings text;
  text.name = "mrpc";
  EXPECT_THAT(refused("text", config.task.at("plain")),
              HasSubstr("text: the model reads text, and task plain is images"));
  EXPECT_THAT(refused("vision", text),
              HasSubstr("the model reads images in patches of 4 x 4, and task mrpc is text"));
  EXPECT_THAT(refused("vision", config.task.at("plain")),
              HasSubstr("\"patch\" in [task.plain] is 7: both must be alike"));
  EXPECT_THAT(error_of([&] { load_tokenizer(folder_ / "vision"); }),
              HasSubstr("the model reads patches of images (basis_patch_size), not text"));
}

// A recorded pass is launched for the class of the longest sequence, 64 here: far above the model's
// 16 positions, which no image exceeds.
TEST_F(ImageTasks, FitTheirModelInABatchThatStandsInOnePlace) {
  const TaskData data = load(config_of(), "turned");
  const EncodedDataset rows = encode_images(std::span(data.train).first(5), data.images);
  Compute compute;
  BertConfig config;
  config.hidden_size = config.intermediate_size = 8;
  config.num_attention_heads = config.num_hidden_layers = 1;
  config.patch_size = 7;
  config.vocab_size = config.type_vocab_size = 0;
  config.max_position_embeddings = 16;
  const SequenceClassifier model(compute.backend(), compute.memory(), config, 10, nullptr,
                                 ModelOptions{});
  FixedBatches fixed(compute.backend(), compute.memory(), DType::F32);
  const Batch* batch = fixed.place(gather_batch(rows, std::vector<std::int32_t>{0, 1, 2, 3, 4}, 0));
  Context context{compute.backend(), compute.arena(), nullptr, false, nullptr, DType::F32};
  const Variable logits = model.logits(context, inputs_of(*batch));
  EXPECT_EQ(host_floats(compute.backend(), logits.value),
            classifier_outputs(compute, model, rows, DType::F32));
}

}  // namespace
}  // namespace basis
