// The whole stack on a device whose memory the host cannot reach gives the bits of the plain CPU.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "data/image_task.h"
#include "data/masking.h"
#include "data/synthetic_images.h"
#include "experiments/model_folder.h"
#include "experiments/task_scores.h"
#include "nn/masked_language_model.h"
#include "nn/pixel_attack.h"
#include "spectral/adapter_file.h"
#include "spectral/curvature_tuning.h"
#include "spectral/fingerprint.h"
#include "spectral/merged_adapters.h"
#include "tensor/file.h"
#include "tests/behaviour/far_backend.h"
#include "tests/behaviour/tiny.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

enum class Place : std::uint8_t { Near, Far, FarAsynchronous };

std::unique_ptr<Backend> backend_of(Place place) {
  if (place == Place::Near) return make_backend("cpu", 1, false);
  return std::make_unique<FarBackend>(1, place == Place::FarAsynchronous);
}

/// A report as it is logged; not its time.
std::string line_of(const StepReport& report) {
  return fmt::format("step {}/{} loss {} rate {} norm {} tokens {}\n", report.step, report.steps,
                     report.loss, report.learning_rate, report.gradient_norm, report.tokens);
}

/// What a training leaves.
struct Trained {
  std::string lines, message;
  std::map<std::string, std::string> values;
  std::vector<float> logits;
  std::map<std::string, std::string> files;  // of its folder
};

std::map<std::string, std::string> files_in(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  if (folder.empty() || !std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[entry.path().lexically_relative(folder).string()] = read_file(entry.path());
  }
  return files;
}

/// A training that stops when `stop_at` steps are reported (0: never) and goes on from a checkpoint
/// where one is.
Trained train(Place place, const AdapterMethod& method, TinyTrainingOptions options,
              std::int64_t stop_at = 0, std::int64_t break_after = -1) {
  Machine machine(backend_of(place));
  const auto model = tiny_model(machine);
  attach(*machine.backend, machine.memory, *model, method);
  TinyTraining* running = nullptr;
  std::int64_t updates = 0, reported = 0;
  options.before_update = [&] {
    if (updates++ == break_after) {
      running->gradient_scale = std::numeric_limits<double>::infinity();
    }
  };
  TinyTraining training(machine, *model, options);
  running = &training;
  Trained result;
  training.trainer().resume();
  try {
    training.trainer().run(
        [&](const StepReport& report) {
          result.lines += line_of(report);
          reported = report.step;
        },
        [&] { return stop_at > 0 && reported >= stop_at; });
  } catch (const Error& error) {
    result.message = error.what();
  }
  result.values = values_of(*model);
  result.logits = logits_of(machine, *model);
  result.files = files_in(options.folder);
  return result;
}

/// Among them may be NaN.
std::string bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

void expect_same(const Trained& some, const Trained& other) {
  EXPECT_EQ(some.lines, other.lines);
  EXPECT_EQ(some.message, other.message);
  EXPECT_TRUE(bytes_of(some.logits) == bytes_of(other.logits));
  EXPECT_TRUE(some.values == other.values);
  EXPECT_TRUE(some.files == other.files);
}

class Far : public FolderTest, public testing::WithParamInterface<NamedMethod> {
 protected:
  static const AdapterMethod& method() { return GetParam().method; }
};

TEST_P(Far, TrainsToTheSameBits) {
  TinyTrainingOptions options;
  options.micro_batch = 3;
  const Trained near = train(Place::Near, method(), options);
  EXPECT_NE(near.lines, "");
  expect_same(train(Place::Far, method(), options), near);
  expect_same(train(Place::FarAsynchronous, method(), options), near);
}

TEST_P(Far, TrainsToTheSameBitsInBf16WithLayersRecomputed) {
  TinyTrainingOptions options;
  options.dtype = DType::BF16;
  options.recomputes_layers = true;
  expect_same(train(Place::FarAsynchronous, method(), options),
              train(Place::Near, method(), options));
}

/// SAM and GO.
std::vector<PerturbationOptions> both_perturbations() {
  using Kind = PerturbationOptions::Kind;
  return {{Kind::Sam, 0.05}, {Kind::Go, 0.05, true}};
}

TEST_P(Far, TrainsToTheSameBitsBesideItsValues) {
  for (const PerturbationOptions& perturbation : both_perturbations()) {
    TinyTrainingOptions options;
    options.perturbation = perturbation;
    options.micro_batch = 3;
    const Trained near = train(Place::Near, method(), options);
    expect_same(train(Place::FarAsynchronous, method(), options), near);
    options.perturbation = {};
    EXPECT_NE(near.lines, train(Place::Near, method(), options).lines);
  }
}

TEST_P(Far, GoesOnFromTheOthersCheckpoint) {
  TinyTrainingOptions options;
  const Trained whole = train(Place::Near, method(), options);
  options.checkpoint_every = 5;
  options.folder = folder_;
  for (const auto& [first, second] :
       {std::pair(Place::Near, Place::FarAsynchronous),
        std::pair(Place::FarAsynchronous, Place::Near), std::pair(Place::Far, Place::Far)}) {
    const Trained begun = train(first, method(), options, 7);
    EXPECT_NE(begun.message.find("stopped after step "), std::string::npos) << begun.message;
    EXPECT_EQ(begun.files.size(), 1u);
    const Trained ended = train(second, method(), options);
    EXPECT_EQ(begun.lines + ended.lines, whole.lines);
    EXPECT_TRUE(ended.values == whole.values);
    EXPECT_EQ(ended.logits, whole.logits);
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      std::filesystem::remove(entry.path());
    }
  }
}

TEST_P(Far, LeavesTheSameCheckpoints) {
  TinyTrainingOptions options;
  options.checkpoint_every = 4;
  std::vector<Trained> trained;
  for (const Place place : {Place::Near, Place::FarAsynchronous}) {
    options.folder = folder_ / std::to_string(trained.size());
    trained.push_back(train(place, method(), options));
    EXPECT_TRUE(trained.back().files.contains("step-8.safetensors"));
  }
  expect_same(trained[1], trained[0]);
}

/// Model and adapter folders of a trained model, and what it answers merged and loaded again.
Trained save_and_load(Place place, const AdapterMethod& method,
                      const std::filesystem::path& folder) {
  Compute compute(backend_of(place));
  Machine machine(backend_of(place));
  const auto model = tiny_model(machine);
  for (const char* name : {"base", "merged"}) std::filesystem::create_directories(folder / name);
  save_model(folder / "base", *model);
  attach(*machine.backend, machine.memory, *model, method);
  TinyTraining training(machine, *model);
  training.trainer().run(nullptr);
  Trained result;
  std::unique_ptr<SequenceClassifier> loaded;
  if (method.kind == AdapterMethod::Kind::Full) {
    save_model(folder / "trained", *model);
    loaded = load_classifier(compute, folder / "trained", std::nullopt);
  } else {
    save_adapter(folder / "adapter", *model, method);
    loaded = load_classifier(compute, folder / "base", folder / "adapter");
  }
  EXPECT_TRUE(values_of(*loaded) == values_of(*model));
  result.logits = classifier_outputs(compute, *loaded, tiny_rows(), DType::F32);
  result.message = fingerprint_of_encoder(*loaded);
  std::optional<MergedAdapters> merged;
  if (!has_curvature(*loaded)) {
    merged.emplace(compute.backend(), compute.memory(), *loaded);
    save_model(folder / "merged", *loaded);
  }
  result.values = values_of(*loaded);
  if (merged) merged->unmerge();
  EXPECT_EQ(classifier_outputs(compute, *loaded, tiny_rows(), DType::F32), result.logits);
  result.files = files_in(folder);
  return result;
}

TEST_P(Far, SavesLoadsMergesAndAnswersTheSame) {
  std::filesystem::create_directories(folder_ / "near/trained");
  std::filesystem::create_directories(folder_ / "far/trained");
  const Trained near = save_and_load(Place::Near, method(), folder_ / "near");
  expect_same(save_and_load(Place::Far, method(), folder_ / "far"), near);
}

INSTANTIATE_TEST_SUITE_P(Methods, Far, testing::ValuesIn(all_methods()), name_of_method);

class FarNotFinite : public FolderTest {
 protected:
  Trained broken(Place place, TinyTrainingOptions options, std::int64_t break_after) {
    options.checkpoint_every = 2;
    options.folder = folder_ / "checkpoints";
    std::filesystem::remove_all(options.folder);
    Trained result = train(place, {}, options, 0, break_after);
    return result;
  }
};

TEST_F(FarNotFinite, ALossStopsWithTheMessageThatItHasOnTheCpu) {
  TinyTrainingOptions options;
  options.learning_rate = 1e30;
  const Trained near = broken(Place::Near, options, -1);
  EXPECT_NE(near.message.find("is not finite"), std::string::npos) << near.message;
  EXPECT_EQ(near.files.size(), 0u);
  expect_same(broken(Place::FarAsynchronous, options, -1), near);
}

// The update of the step that breaks and of the one behind it are skipped.
TEST_F(FarNotFinite, AGradientStopsWithTheMessageAndValuesThatItHasOnTheCpu) {
  for (const std::int64_t updates : {4, 5}) {
    const Trained near = broken(Place::Near, {}, updates);
    EXPECT_NE(near.message.find("the gradient of "), std::string::npos) << near.message;
    EXPECT_EQ(near.files.size(), 1u);
    expect_same(broken(Place::FarAsynchronous, {}, updates), near);
  }
}

TEST_F(FarNotFinite, BesideItsValuesItIsTheSame) {
  for (const PerturbationOptions& perturbation : both_perturbations()) {
    TinyTrainingOptions options;
    options.perturbation = perturbation;
    for (const std::int64_t updates : {4, 5}) {
      const Trained near = broken(Place::Near, options, updates);
      EXPECT_NE(near.message.find("the gradient of "), std::string::npos) << near.message;
      EXPECT_EQ(near.files.size(), 1u);
      expect_same(broken(Place::FarAsynchronous, options, updates), near);
    }
    options.learning_rate = 1e30;
    const Trained near = broken(Place::Near, options, -1);
    EXPECT_NE(near.message.find("is not finite"), std::string::npos) << near.message;
    expect_same(broken(Place::FarAsynchronous, options, -1), near);
  }
}

// ---- Pretraining --------------------------------------------------------------------------------

/// A few steps of masked language modelling.
class TinyPretraining {
 public:
  explicit TinyPretraining(Machine& machine) : machine_(machine) {
    BertConfig config;
    config.vocab_size = 1 + *std::max_element(tiny_rows().ids.begin(), tiny_rows().ids.end());
    config.hidden_size = 32;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 48;
    config.max_position_embeddings = 64;
    special_.vocabulary = config.vocab_size;
    special_.mask = 4;
    model_ = std::make_unique<MaskedLanguageModel>(*machine.backend, machine.memory, config,
                                                   nullptr, ModelOptions{7, DType::F32});
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
    task_.steps = 6;
    task_.begin_step = [this](std::int64_t step) { return begin_step(step); };
    task_.loss = [this](Context& context, std::int64_t, double scale) {
      const Variable logits = model_->logits(context, inputs_of(batch_.batch), batch_.masked_rows);
      return cross_entropy(context, logits, batch_.labels, scale);
    };
  }

  Trained run(const std::filesystem::path& folder) {
    Optimizer optimizer(*machine_.backend, machine_.memory, model_->parameters().trainable(),
                        [](const Parameter&) { return 0; }, {});
    TrainerOptions options;
    options.learning_rates = {1e-3};
    Trainer trainer(*machine_.backend, machine_.arena, optimizer, task_, options);
    Trained result;
    trainer.run([&](const StepReport& report) { result.lines += line_of(report); });
    std::filesystem::create_directories(folder);
    save_model(folder, *model_);
    result.files = files_in(folder);
    return result;
  }

 private:
  TrainingTask::Step begin_step(std::int64_t step) {
    std::vector<std::int32_t> examples(8);
    std::iota(examples.begin(), examples.end(), static_cast<std::int32_t>(step));
    batch_ = to_device(*machine_.backend, machine_.memory,
                       mask_batch(gather_batch(tiny_rows(), examples, 0), special_, {}, 3,
                                  static_cast<std::uint32_t>(step)));
    return {1, batch_.labels.element_count(), batch_.batch.layout.tokens()};
  }

  Machine& machine_;
  SpecialIds special_;
  std::unique_ptr<MaskedLanguageModel> model_;
  MaskedBatch batch_;
  TrainingTask task_;
};

using FarPretraining = FolderTest;

TEST_F(FarPretraining, GivesTheSameModelFolder) {
  const auto pretrained = [&](Place place, const char* name) {
    Machine machine(backend_of(place));
    return TinyPretraining(machine).run(folder_ / name);
  };
  const Trained near = pretrained(Place::Near, "near");
  EXPECT_EQ(near.files.size(), 2u);
  expect_same(pretrained(Place::Far, "far"), near);
  expect_same(pretrained(Place::FarAsynchronous, "queued"), near);
}

// ---- Pixels -------------------------------------------------------------------------------------

/// Six drawn images after an attack, then with noise, as a small vision transformer reads them.
std::vector<float> changed_pixels(Place place, DType dtype) {
  Machine machine(backend_of(place));
  BertConfig config;
  config.patch_size = 7;
  config.vocab_size = config.type_vocab_size = 0;
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 48;
  config.max_position_embeddings = 16;
  config.initializer_range = 0.1;
  const SequenceClassifier model(*machine.backend, machine.memory, config, 10, nullptr,
                                 ModelOptions{7, DType::F32});
  TaskImages images{synthetic_images(6, 1), {}, config.patch_size};
  images.statistics = pixel_statistics(images.set);
  std::vector<Example> rows(6);
  std::vector<std::int32_t> places(6);
  std::iota(places.begin(), places.end(), 0);
  for (const std::int32_t i : places) {
    rows[static_cast<std::size_t>(i)].image = i;
    rows[static_cast<std::size_t>(i)].label = images.set.labels[static_cast<std::size_t>(i)];
  }
  const Batch batch =
      make_batch(*machine.backend, machine.memory, encode_images(rows, images), places, 0, dtype);
  const Context context{*machine.backend, machine.arena, nullptr, false, nullptr, dtype};
  const BertInputs inputs = inputs_of(batch);
  const LabelledImages labelled{inputs, batch.labels, places};
  const PixelScale scale{images.statistics.mean, images.statistics.deviation};
  std::vector<float> pixels = to_host<float>(
      *machine.backend,
      attacked_patches(context, machine.memory, model, labelled, scale, {0.1, 0.02, 8, 3}));
  const std::vector<float> noisy = to_host<float>(
      *machine.backend, noisy_patches(context, machine.memory, labelled, scale, 0.2, 3));
  pixels.insert(pixels.end(), noisy.begin(), noisy.end());
  return pixels;
}

TEST(FarPixels, AreAttackedToTheSameBits) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const std::vector<float> near = changed_pixels(Place::Near, dtype);
    EXPECT_EQ(changed_pixels(Place::Far, dtype), near);
    EXPECT_EQ(changed_pixels(Place::FarAsynchronous, dtype), near);
  }
}

// ---- Memory -------------------------------------------------------------------------------------

TEST(FarMemory, IsAskedForNothingAfterAnEpoch) {
  auto owned = std::make_unique<FarBackend>(1, true);
  FarBackend& far = *owned;
  Compute compute(std::move(owned));
  EXPECT_EQ(compute.peak_memory_mib(), 0);
  Machine machine(std::make_unique<FarBackend>(1, true));
  auto& backend = dynamic_cast<FarBackend&>(*machine.backend);
  const auto model = tiny_model(machine);
  attach(backend, machine.memory, *model, {});
  TinyTraining training(machine, *model);
  const std::int64_t epoch = training.steps_per_epoch();
  for (std::int64_t step = 0; step < epoch; ++step) training.trainer().train_step(step);
  const std::size_t reservations = backend.reservations();
  const std::size_t generation = machine.arena.generation();
  for (std::int64_t step = epoch; step < 2 * epoch; ++step) training.trainer().train_step(step);
  EXPECT_EQ(backend.reservations(), reservations);
  EXPECT_EQ(machine.arena.generation(), generation);
  EXPECT_EQ(far.reservations(), 0u);
}

TEST(FarMemory, IsRefusedToKernelsThatAreGivenTheHosts) {
  FarBackend backend;
  float host = 0;
  EXPECT_THROW(backend.fill(0, {&host, DType::F32, 1, 1, 1}), InternalError);
  const Block block = backend.reserve(sizeof(double));
  StepState state;
  EXPECT_THROW(backend.update_clip({block.get(), DType::F64, 1, 1, 1}, 1, &state), InternalError);
}

TEST(FarMemoryDeathTest, EndsAHostThatFollowsAPointerIntoIt) {
  FarBackend backend;
  const Block block = backend.reserve(sizeof(float));
  EXPECT_DEATH(*reinterpret_cast<volatile float*>(block.get()) = 1, "");
}

TEST(FarMemory, DoesNotComputeInF64) {
  FarBackend backend;
  EXPECT_THROW(compute_dtype(backend, "f64"), Error);
}

}  // namespace
}  // namespace basis::behaviour
