#include "experiments/text_classifier.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "data/batch.h"
#include "data/wordpiece.h"
#include "experiments/compute.h"
#include "experiments/model_folder.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "experiments/training_settings.h"
#include "spectral/merged_adapters.h"
#include "tensor/error.h"

namespace basis {

namespace {

BertConfig config_with(const std::filesystem::path& folder, std::vector<std::string> labels) {
  BertConfig config = BertConfig::read(folder);
  if (!labels.empty()) config.labels = std::move(labels);
  if (config.labels.size() < 2) {
    throw Error(
        fmt::format("{}: a classifier needs at least 2 classes, and there are {}; give "
                    "their names to load",
                    (folder / "config.json").string(), config.labels.size()));
  }
  config.problem_type = "single_label_classification";
  return config;
}

}  // namespace

struct TextClassifier::State {
  TextClassifierOptions options;
  WordPieceTokenizer tokenizer;
  Compute compute;  // outlives what is made from it
  std::unique_ptr<SequenceClassifier> model;
  // Made by the first training step.
  Batch batch;
  TrainingTask task;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Trainer> trainer;
  std::int64_t step = 0;

  State(const std::filesystem::path& folder, std::vector<std::string> labels,
        const TextClassifierOptions& chosen)
      : options(chosen), tokenizer(load_tokenizer(folder)), compute(chosen.device, chosen.threads) {
    const BertConfig config = config_with(folder, std::move(labels));
    options.max_length = std::min(options.max_length, config.max_position_embeddings);
    Checkpoint checkpoint(folder);
    model = std::make_unique<SequenceClassifier>(compute.backend(), compute.memory(), config,
                                                 std::ssize(config.labels), &checkpoint,
                                                 ModelOptions{options.seed, DType::F32});
    attach(compute.backend(), compute.memory(), *model, options.method);
  }

  EncodedDataset encoded(std::span<const Example> rows) const {
    return encode(rows, false, [&](const Example& row) {
      return row.second.empty() ? tokenizer.encode(row.first, options.max_length)
                                : tokenizer.encode_pair(row.first, row.second, options.max_length);
    });
  }

  /// The trainer draws its only batch from `batch`, whatever the step.
  void make_trainer() {
    task.steps = 1;
    task.begin_step = [this](std::int64_t) {
      return TrainingTask::Step{1, batch.loss_count, batch.layout.tokens()};
    };
    task.loss = [this](Context& context, std::int64_t, double scale) {
      return cross_entropy(context, model->logits(context, inputs_of(batch)), batch.labels, scale);
    };
    optimizer = std::make_unique<Optimizer>(compute.backend(), compute.memory(),
                                            model->parameters().trainable(), learning_rate_group,
                                            options.optimizer);
    TrainerOptions trainer_options;
    trainer_options.seed = options.seed;
    trainer_options.schedule.kind = Schedule::Kind::Constant;
    trainer_options.learning_rates = {options.learning_rate, options.learning_rate};
    trainer = std::make_unique<Trainer>(compute.backend(), compute.arena(), *optimizer, task,
                                        trainer_options);
  }
};

TextClassifier::TextClassifier(std::unique_ptr<State> state) : state_(std::move(state)) {}
TextClassifier::TextClassifier(TextClassifier&&) noexcept = default;
TextClassifier& TextClassifier::operator=(TextClassifier&&) noexcept = default;
TextClassifier::~TextClassifier() = default;

TextClassifier TextClassifier::load(const std::filesystem::path& folder,
                                    std::vector<std::string> labels,
                                    const TextClassifierOptions& options) {
  return TextClassifier(std::make_unique<State>(folder, std::move(labels), options));
}

double TextClassifier::train_step(std::span<const Example> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].label >= 0 && rows[i].label < std::ssize(labels())) continue;
    throw Error(fmt::format("row {}: label {} is no class; there are {} (0 to {})", i,
                            rows[i].label, labels().size(), labels().size() - 1));
  }
  const EncodedDataset dataset = state_->encoded(rows);
  std::vector<std::int32_t> all(rows.size());
  std::iota(all.begin(), all.end(), 0);
  state_->batch = make_batch(state_->compute.backend(), state_->compute.memory(), dataset, all, 0);
  if (state_->trainer == nullptr) state_->make_trainer();
  return state_->trainer->train_step(state_->step++).loss;
}

std::vector<TextPrediction> TextClassifier::predict(std::span<const Example> rows) {
  const std::vector<float> outputs =
      classifier_outputs(state_->compute, *state_->model, state_->encoded(rows), DType::F32);
  const auto classes = static_cast<std::size_t>(state_->model->outputs());
  std::vector<TextPrediction> predictions;
  for (std::size_t begin = 0; begin < outputs.size(); begin += classes) {
    TextPrediction prediction;
    const auto first = outputs.begin() + static_cast<std::ptrdiff_t>(begin);
    prediction.logits.assign(first, first + static_cast<std::ptrdiff_t>(classes));
    const auto largest = std::max_element(prediction.logits.begin(), prediction.logits.end());
    prediction.label = static_cast<std::int32_t>(largest - prediction.logits.begin());
    prediction.name = labels()[static_cast<std::size_t>(prediction.label)];
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

void TextClassifier::save(const std::filesystem::path& folder) {
  MergedAdapters merged(state_->compute.backend(), state_->compute.memory(), *state_->model);
  state_->tokenizer.save(folder);  // makes the folder
  save_model(folder, *state_->model);
  merged.unmerge();
}

const std::vector<std::string>& TextClassifier::labels() const {
  return state_->model->config().labels;
}

SequenceClassifier& TextClassifier::model() {
  return *state_->model;
}

}  // namespace basis
