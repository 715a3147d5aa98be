#include "experiments/image_pretrain.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "data/image_task.h"
#include "experiments/classifier_task.h"
#include "experiments/image_data.h"
#include "experiments/pretrain_model.h"
#include "experiments/snapshots.h"
#include "experiments/stage_training.h"
#include "experiments/task_scores.h"

namespace basis {

namespace {

/// -log softmax(row)[label], about the largest logit.
double cross_entropy_of(std::span<const float> row, std::int32_t label) {
  const double largest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const double logit : row) sum += std::exp(logit - largest);
  return largest + std::log(sum) - static_cast<double>(row[static_cast<std::size_t>(label)]);
}

/// Mean loss on `rows` of who answers with the frequencies of the training rows, none of them 0.
double frequencies_loss(const std::vector<Example>& train, const std::vector<Example>& rows,
                        std::size_t classes) {
  std::vector<double> counts(classes, 1);
  for (const Example& row : train) counts[static_cast<std::size_t>(row.label)] += 1;
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  double loss = 0;
  for (const Example& row : rows) {
    loss -= std::log(counts[static_cast<std::size_t>(row.label)] / total);
  }
  return loss / static_cast<double>(rows.size());
}

/// One pretraining from its settings to its result.
class ImagePretrain {
 public:
  explicit ImagePretrain(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        settings_(config_.pretrain_for(stage.stage.model)),
        seed_(stage.stage.seed),
        data_(load_image_task(config_, config_.task.at(settings_.task), TrainSettings(),
                              *stage.data)),
        rows_(nested_rows(data_, settings_.data_share, static_cast<std::uint64_t>(seed_))),
        train_set_(encode_images(rows_, data_.images)),
        dev_set_(encode_images(data_.dev, data_.images)),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)) {
    stage_.remark(dtype_.remark);
    make_model();
  }

  StageResult run() {
    StageTraining training;
    training.task = task_->training_task(settings_.steps);
    training.parameters = model_->parameters().trainable();
    training.group_of = [](const Parameter&) { return 0; };
    training.optimizer = optimizer_options(settings_);
    training.trainer =
        trainer_options(config_, settings_, seed_, dtype_.activations, settings_.steps);
    training.evaluates_after = every(settings_.evaluate_every);
    training.evaluate = [this](MetricsLog& log, std::int64_t step) { score_dev(log, step); };
    const double tokens_per_s = train_in_stage(stage_, compute_, training);
    save();
    return pretrain_result(scores_, tokens(), train_set_.token_count(), tokens_per_s, compute_,
                           model_->parameters().trainable());
  }

 private:
  void make_model() {
    BertConfig config = pretrained_config(settings_);
    set_patches(config, data_.images.patch, train_set_.length(0));
    config.labels = data_.task.labels;
    config.problem_type = "single_label_classification";
    config.validate("[pretrain]");
    if (compute_.backend().device() == DeviceKind::Cpu) {
      expect_memory_to_train(config.parameter_count(), dtype_.master(), "[pretrain]");
    }
    model_ = std::make_unique<SequenceClassifier>(
        compute_.backend(), compute_.memory(), config, data_.task.outputs(), nullptr,
        ModelOptions{static_cast<std::uint64_t>(seed_), dtype_.master()});
    if (!config.is_perceptron) start_positions(compute_, model_->bert(), settings_);
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(true);
    const BatchOptions batches{settings_.batch_size, 0, settings_.micro_batch, true, false};
    task_ = std::make_unique<ClassifierTask>(compute_, dtype_, *model_, train_set_, batches, seed_,
                                             config_.cuda_graphs);
  }

  /// Under the names that a pretraining on text has: reports read both.
  void score_dev(MetricsLog& log, std::int64_t step) {
    const std::vector<float> logits =
        classifier_outputs(compute_, *model_, dev_set_, dtype_.activations);
    const std::size_t classes = data_.task.labels.size();
    double loss = 0;
    for (std::size_t i = 0; i < data_.dev.size(); ++i) {
      loss += cross_entropy_of(std::span(logits).subspan(i * classes, classes), data_.dev[i].label);
    }
    if (!std::isfinite(loss)) {
      throw Error(
          fmt::format("step {}: the held-out loss is not finite; stopped. A smaller "
                      "learning rate usually helps.",
                      step));
    }
    scores_ = {{"held_out_loss", loss / static_cast<double>(data_.dev.size())},
               {"held_out_accuracy", scores_of(logits, data_.dev, data_.task).front().second},
               {"unigram_loss", frequencies_loss(rows_, data_.dev, classes)}};
    log.write(step, {scores_.begin(), scores_.end()});
  }

  std::int64_t tokens() const {
    return settings_.steps * settings_.batch_size * train_set_.length(0);
  }

  void save() {
    const Snapshot snapshot{"final", tokens(), scores_.front().second};
    make_folder(stage_.folder / snapshot.folder());
    save_encoder(stage_.folder / snapshot.folder(), *model_);
    add_snapshot(stage_.folder, snapshot);
  }

  StageContext& stage_;
  const Config& config_;
  const PretrainSettings settings_;
  const std::int64_t seed_;
  const TaskData data_;
  const std::vector<Example> rows_;  // that train
  const EncodedDataset train_set_, dev_set_;
  Compute compute_;
  ComputeDType dtype_;
  std::unique_ptr<SequenceClassifier> model_;
  std::unique_ptr<ClassifierTask> task_;
  std::vector<std::pair<std::string, double>> scores_;  // the held-out loss first
};

}  // namespace

StageResult run_image_pretrain(StageContext& stage) {
  reset_peak_memory();
  return ImagePretrain(stage).run();
}

}  // namespace basis
