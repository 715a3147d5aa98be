#include "experiments/robustness.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/attacked_answers.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/task_scores.h"
#include "experiments/trainer.h"
#include "nn/pixel_attack.h"
#include "tensor/file.h"

namespace basis {
namespace {

class Robustness {
 public:
  explicit Robustness(StageContext& stage)
      : stage_(stage),
        config_(stage.plan.config),
        settings_(config_.robustness),
        compute_(config_.device, config_.threads, config_.tf32),
        dtype_(compute_dtype(compute_.backend(), config_.dtype)) {
    stage_.remark(dtype_.remark);
    load_rows();
    model_ = load_finetuned(compute_, stage_);
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(false);
  }

  StageResult run() {
    std::int64_t rows = 0;
    for_each_batch(compute_, dev_, dtype_.activations, [&](Context& context, const Batch& batch) {
      for (const PixelChange& change : changes()) {
        answer(context, batch, change);
        if (stage_.should_stop()) throw Cancelled("stopped between two attacks");
      }
      rows += std::ssize(batch.example_indices);
      if (stage_.report_progress) stage_.report_progress({rows, dev_.size(), std::nan(""), 0});
    });
    return finish();
  }

 private:
  void load_rows() {
    const TrainSettings train = config_.train_for(stage_.stage.task, stage_.stage.method);
    data_ = load_task(config_, stage_.stage.task, train, *stage_.data);
    if (settings_.dev_rows > 0) {
      data_.dev.resize(std::min(data_.dev.size(), static_cast<std::size_t>(settings_.dev_rows)));
    }
    const RowEncoder encoder(start_model_folder(stage_), config_.task.at(stage_.stage.task),
                             train.max_length, stage_.cache);
    dev_ = encoder.encode(data_.dev, data_);
  }

  std::vector<PixelChange> changes() const {
    std::vector<PixelChange> all = {{"clean", 0}};
    for (const double epsilon : settings_.epsilons) all.emplace_back("pgd", epsilon);
    for (const double deviation : settings_.noise) all.emplace_back("noise", deviation);
    return all;
  }

  /// Adds the logits of one batch.
  void answer(Context& context, const Batch& batch, const PixelChange& change) {
    BertInputs inputs = inputs_of(batch);
    inputs.patches = constant(changed(context, batch, change));
    const std::vector<float> logits =
        host_floats(compute_.backend(), model_->logits(context, inputs).value);
    std::vector<float>& all = logits_[change];
    all.insert(all.end(), logits.begin(), logits.end());
  }

  Tensor changed(Context& context, const Batch& batch, const PixelChange& change) {
    const auto& [kind, size] = change;
    if (kind == "clean") return batch.patches;
    const BertInputs inputs = inputs_of(batch);
    const LabelledImages images{inputs, batch.labels, batch.example_indices};
    const PixelScale scale{data_.images.statistics.mean, data_.images.statistics.deviation};
    const auto seed = static_cast<std::uint64_t>(stage_.stage.seed);
    if (kind == "noise") {
      return noisy_patches(context, compute_.memory(), images, scale, size, seed);
    }
    return attacked_patches(context, compute_.memory(), *model_, images, scale,
                            {size, settings_.step_of(size), settings_.steps, seed});
  }

  StageResult finish() {
    const Answers expected = answers_of(data_.dev, data_.task);
    std::map<PixelChange, Answers> answers;
    std::string rows = "kind,size,accuracy\n";
    StageResult result;
    for (const PixelChange& change : changes()) {
      answers[change] = answers_of(logits_.at(change), data_.task);
      const double accuracy = score(Metric::Accuracy, answers.at(change), expected);
      rows += fmt::format("{},{},{}\n", change.first, change.second, accuracy);
      result.metrics.emplace_back(name_of(change), accuracy);
    }
    write_attacked_answers(stage_.folder, answers, data_.dev, data_);
    write_file_atomically(stage_.folder / "robustness.csv", rows);
    result.peak_mib = compute_.peak_memory_mib();
    return result;
  }

  StageContext& stage_;
  const Config& config_;
  const RobustnessSettings& settings_;
  Compute compute_;
  ComputeDType dtype_;
  TaskData data_;
  EncodedDataset dev_;
  std::unique_ptr<SequenceClassifier> model_;
  std::map<PixelChange, std::vector<float>> logits_;  // (rows, classes)
};

}  // namespace

StageResult run_robustness(StageContext& stage) {
  reset_peak_memory();
  return Robustness(stage).run();
}

}  // namespace basis
