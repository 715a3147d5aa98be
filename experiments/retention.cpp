#include "experiments/retention.h"

#include <limits>

#include "experiments/config_fields.h"
#include "experiments/finetune.h"
#include "experiments/model_folder.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/task_data.h"
#include "experiments/task_scores.h"
#include "tensor/file.h"

namespace basis {
namespace {

/// The task that the fine-tuning was on, as its own model reads it.
class FirstTask {
 public:
  explicit FirstTask(const StageContext& stage)
      : FirstTask(stage, stage.plan.config.train_for(stage.stage.task, stage.stage.method)) {}

  const RowEncoder& encoder() const { return encoder_; }

  /// The primary score on dev.
  double score(Compute& compute, const SequenceClassifier& model, DType activations) const {
    const std::vector<float> outputs = classifier_outputs(compute, model, dev_, activations);
    return scores_of(outputs, data_.dev, data_.task).front().second;
  }
  /// The same of the most frequent class; 0 of a correlation.
  double chance() const {
    const auto majority = majority_scores(data_.dev, data_.task);
    return majority.empty() ? 0 : majority.front().second;
  }

 private:
  FirstTask(const StageContext& stage, const TrainSettings& train)
      : encoder_(finetuned_folder(stage.inputs.back()), stage.plan.config.task.at(stage.stage.task),
                 train.max_length, stage.cache),
        data_(load_task(stage.plan.config, stage.stage.task, train, *stage.data)),
        dev_(encoder_.encode(data_.dev, data_)) {}

  RowEncoder encoder_;
  TaskData data_;
  EncodedDataset dev_;
};

/// Writes the fine-tuned encoder without its head, so that what starts from it gets a new one.
std::filesystem::path write_start(StageContext& stage, const RowEncoder& encoder) {
  const std::filesystem::path folder = stage.checkpoint_folder() / "start";
  make_folder(folder);
  Compute compute;
  save_encoder(folder, *load_finetuned(compute, stage));
  encoder.save_tokenizer(folder);
  return folder;
}

void copy_encoder(const SequenceClassifier& from, SequenceClassifier& to) {
  for (const auto& parameter : to.parameters().all()) {
    if (parameter->role() != ParameterRole::Encoder) continue;
    parameter->set_value(from.parameters().at(parameter->name()).value());
  }
}

}  // namespace

StageResult run_retention(StageContext& stage) {
  reset_peak_memory();
  const Config& config = stage.plan.config;
  const FirstTask first(stage);
  FinetuneJob job{write_start(stage, first.encoder()), config.retention.task, method_preset("full"),
                  config.retention_train()};
  double before = 0, after = 0, other = 0;
  StageResult result = train_classifier(stage, job, [&](const TrainedClassifier& trained) {
    const std::unique_ptr<SequenceClassifier> model = load_finetuned(trained.compute, stage);
    before = first.score(trained.compute, *model, trained.dtype.activations);
    copy_encoder(trained.model, *model);
    after = first.score(trained.compute, *model, trained.dtype.activations);
    other = trained.scores.front().second;
  });
  const double chance = first.chance();
  const double kept = before <= chance ? std::numeric_limits<double>::quiet_NaN()
                                       : (after - chance) / (before - chance);
  result.metrics = {{"kept", kept},
                    {"score_before", before},
                    {"score_after", after},
                    {"chance", chance},
                    {"other_score", other}};
  return result;
}

}  // namespace basis
