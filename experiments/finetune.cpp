#include "experiments/finetune.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/basis_cache.h"
#include "experiments/basis_source.h"
#include "experiments/choice.h"
#include "experiments/classifier_task.h"
#include "experiments/compute.h"
#include "experiments/input_moments.h"
#include "experiments/predictions.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/stage_training.h"
#include "experiments/start_weights.h"
#include "experiments/task_data.h"
#include "experiments/task_scores.h"
#include "experiments/training_settings.h"
#include "spectral/adapter_file.h"
#include "spectral/curvature_tuning.h"

namespace basis {

namespace {

BatchOptions batch_options(const TrainSettings& train) {
  return {train.batch_size, train.tokens_per_batch, train.micro_batch, true, train.grouped};
}

/// With the rates that a grid stage tries or that choices before this stage have made.
TrainSettings train_settings(const StageContext& stage) {
  const Config& config = stage.plan.config;
  TrainSettings train = config.train_for(stage.stage.task, stage.stage.method);
  const auto set = [&](const std::string& method, double rate) {
    const MethodSettings& settings = config.method.at(method);
    (settings.trains_head_alone() ? train.head_learning_rate : train.learning_rate) = rate;
  };
  for (const StageInput& input : stage.inputs) {
    if (input.stage->kind == StageKind::Choice) {
      set(input.stage->method, chosen_rate(input.result));
    }
  }
  if (stage.stage.kind == StageKind::Grid) set(stage.stage.method, stage.stage.learning_rate);
  return train;
}

/// One fine-tuning from its settings to its result.
class Finetune {
 public:
  Finetune(StageContext& stage, FinetuneJob job)
      : stage_(stage),
        config_(stage.plan.config),
        job_(std::move(job)),
        encoder_(job_.start, config_.task.at(job_.task), job_.train.max_length, stage.cache),
        data_(load_rows(stage)),
        train_set_(encoder_.encode(data_.train, data_)),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)) {
    stage_.remark(dtype_.remark);
    make_model();
  }

  /// Returns real tokens/s.
  double train() {
    StageTraining training;
    training.task = task_->training_task(total_steps());
    training.parameters = model_->parameters().trainable();
    training.group_of = learning_rate_group;
    training.optimizer = optimizer_options(job_.train);
    training.trainer = trainer_options();
    training.evaluates_after = every(job_.train.evaluate_every);
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_dev(log, step); };
    return train_in_stage(stage_, compute_, training);
  }

  TrainedClassifier trained() { return {compute_, dtype_, *model_, scores_}; }

  StageResult result(double tokens_per_s) {
    StageResult result;
    result.metrics = scores_;
    for (const auto& [name, value] : majority_scores(data_.dev, data_.task)) {
      result.metrics.emplace_back("majority_" + name, value);
    }
    result.metrics.emplace_back("dev_rows", static_cast<double>(data_.dev.size()));
    if (curvature_error_) result.metrics.emplace_back("curvature_start_error", *curvature_error_);
    const TrainableCount count = count_trainable(*model_);
    result.trainable = count.trained;
    result.trainable_share = count.share();
    result.adapted_share = count.adapted_share();
    result.head_parameters = count.head;
    result.tokens_per_s = tokens_per_s;
    result.peak_mib = compute_.peak_memory_mib();
    return result;
  }

  void save() {
    write_predictions(stage_.folder, logits_, data_.dev, data_);
    const bool has_adapter = adapter_.kind != AdapterMethod::Kind::Full;
    const std::filesystem::path folder = stage_.folder / (has_adapter ? "adapter" : "model");
    make_folder(folder);
    if (has_adapter) {
      save_adapter(folder, *model_, adapter_);
    } else {
      save_model(folder, *model_);
      encoder_.save_tokenizer(folder);
    }
  }

 private:
  TaskData load_rows(const StageContext& stage) const {
    TaskData data = stage.stage.kind == StageKind::Grid
                        ? load_grid_task(config_, job_.task, job_.train, *stage.data)
                        : load_task(config_, job_.task, job_.train, *stage.data);
    if (job_.method.labels == "shuffled") {
      shuffle_labels(data.train, static_cast<std::uint64_t>(stage.stage.seed));
    }
    return data;
  }

  void make_model() {
    BertConfig bert = start_config(BertConfig::read(job_.start), job_.method);
    bert.head = config_.model_named(stage_.stage.model).head;
    if (job_.train.dropout >= 0) {
      bert.hidden_dropout_prob = bert.attention_probs_dropout_prob = job_.train.dropout;
      bert.classifier_dropout.reset();
    }
    bert.labels = data_.task.labels;
    bert.problem_type = data_.task.is_regression ? "regression" : "single_label_classification";
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    std::optional<Checkpoint> checkpoint;
    if (job_.method.start != "random" && !job_.method.reads_pixels()) {
      checkpoint.emplace(job_.start);
    } else if (compute_.backend().device() == DeviceKind::Cpu) {
      expect_memory_to_train(bert.parameter_count(), dtype_.master(),
                             (job_.start / "config.json").string());
    }
    model_ = std::make_unique<SequenceClassifier>(
        compute_.backend(), compute_.memory(), bert, data_.task.outputs(),
        checkpoint ? &*checkpoint : nullptr, ModelOptions{seed, dtype_.master()});
    if (checkpoint) alter_start(compute_.backend(), compute_.memory(), *model_, job_.method, seed);
    task_ = std::make_unique<ClassifierTask>(compute_, dtype_, *model_, train_set_,
                                             batch_options(job_.train), stage_.stage.seed,
                                             config_.cuda_graphs);
    const std::int64_t tokens_per_step = train_set_.token_count() / task_->steps_of(1);
    adapter_ = adapter_method(job_.method, stage_.stage.seed, tokens_per_step);
    adapter_.activations = dtype_.activations;
    const std::unique_ptr<Decompositions> device = compute_.backend().make_decompositions();
    attach(compute_.backend(), compute_.memory(), *model_, adapter_, basis_source(device.get()));
    if (device) stage_.remark(device->remark());
    if (adapter_.curvature == AdapterMethod::Curvature::Trained) measure_curvature();
  }

  /// How nearly its start keeps the model's own function.
  void measure_curvature() {
    const CurvatureValues start = curvature_values(*model_, adapter_);
    curvature_error_ = curvature_start_error(compute_.backend(), compute_.memory(), *model_, start);
    stage_.remark(
        fmt::format("Curvature Tuning starts at β = {}, c = {}: its function is within {:.4f} of "
                    "the model's {}",
                    start.beta, start.c, *curvature_error_, name_of(model_->config().hidden_act)));
  }

  /// Where the adapter's directions come from. Those of text and of another model are told by more
  /// than the weight.
  BasisSource basis_source(Decompositions* device) {
    BasisSource by_svd = cached_basis(stage_.cache, device);
    if (adapter_.basis == BasisKind::Activation) {
      constexpr std::int64_t rows = 256;  // of the task's own training text
      return basis_by_activation(
          input_moments(compute_, *model_, train_set_, rows, dtype_.activations), device);
    }
    if (adapter_.basis == BasisKind::OtherSeed) {
      // Behind what the start reads comes the pretraining of the next seed.
      const auto other = std::find_if(
          stage_.inputs.rbegin(), stage_.inputs.rend(),
          [](const StageInput& input) { return input.stage->kind == StageKind::Pretrain; });
      return basis_by_other_model(other->folder / "model", std::move(by_svd));
    }
    return by_svd;
  }

  std::int64_t total_steps() {
    return job_.train.steps > 0 ? job_.train.steps : task_->steps_of(job_.train.epochs);
  }

  TrainerOptions trainer_options() {
    TrainerOptions options = basis::trainer_options(config_, job_.train, stage_.stage.seed,
                                                    dtype_.activations, total_steps());
    const double head_rate = job_.train.head_learning_rate > 0 ? job_.train.head_learning_rate
                                                               : job_.train.learning_rate;
    const double curvature_rate = job_.method.curvature_learning_rate > 0
                                      ? job_.method.curvature_learning_rate
                                      : job_.train.learning_rate;
    options.learning_rates = {job_.train.learning_rate, head_rate, curvature_rate};
    return options;
  }

  /// Scores dev into the log and keeps logits and scores, primary first.
  void score_dev(MetricsLog& log, std::int64_t step) {
    const EncodedDataset dev = encoder_.encode(data_.dev, data_);
    logits_ = classifier_outputs(compute_, *model_, dev, dtype_.activations);
    scores_ = scores_of(logits_, data_.dev, data_.task);
    if (!data_.dev_mismatched.empty()) {
      const EncodedDataset other = encoder_.encode(data_.dev_mismatched, data_);
      const std::vector<float> outputs =
          classifier_outputs(compute_, *model_, other, dtype_.activations);
      for (const auto& [name, value] : scores_of(outputs, data_.dev_mismatched, data_.task)) {
        scores_.emplace_back(name + "_mismatched", value);
      }
    }
    MetricValues line;
    for (const auto& [name, value] : scores_) line.emplace_back("dev_" + name, value);
    log.write(step, line);
  }

  StageContext& stage_;
  const Config& config_;
  const FinetuneJob job_;
  RowEncoder encoder_;
  TaskData data_;
  EncodedDataset train_set_;
  Compute compute_;
  ComputeDType dtype_;
  std::unique_ptr<SequenceClassifier> model_;
  AdapterMethod adapter_;
  std::optional<double> curvature_error_;  // of the start, where it trains
  std::unique_ptr<ClassifierTask> task_;
  std::vector<float> logits_;                           // of dev, after training
  std::vector<std::pair<std::string, double>> scores_;  // from the same
};

}  // namespace

StageResult run_finetune(StageContext& stage) {
  reset_peak_memory();
  Finetune finetune(stage,
                    {start_model_folder(stage), stage.stage.task,
                     stage.plan.config.method.at(stage.stage.method), train_settings(stage)});
  const double tokens_per_s = finetune.train();
  // Of a grid stage the score alone is wanted.
  if (stage.stage.kind != StageKind::Grid) finetune.save();
  return finetune.result(tokens_per_s);
}

StageResult train_classifier(StageContext& stage, const FinetuneJob& job,
                             const std::function<void(const TrainedClassifier&)>& use) {
  Finetune finetune(stage, job);
  const double tokens_per_s = finetune.train();
  use(finetune.trained());
  return finetune.result(tokens_per_s);
}

}  // namespace basis
