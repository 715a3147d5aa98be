#include <algorithm>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "autograd/losses.h"
#include "data/batch.h"
#include "data/metrics.h"
#include "experiments/landscape_subject.h"
#include "experiments/model_folder.h"
#include "experiments/row_encoder.h"
#include "experiments/stage_model.h"
#include "experiments/start_weights.h"
#include "experiments/task_data.h"
#include "experiments/task_scores.h"
#include "spectral/adapter_file.h"

namespace basis {
namespace {

class ClassifierOnRows {
 public:
  ClassifierOnRows(StageContext& stage, Compute& compute, const ComputeDType& dtype)
      : config_(stage.plan.config),
        method_(config_.method.at(stage.stage.method)),
        seed_(static_cast<std::uint64_t>(stage.stage.seed)),
        compute_(compute),
        dtype_(dtype),
        base_(start_model_folder(stage)),
        after_(finetuned_folder(stage.inputs.back())) {
    load_rows(stage);
    load_model(stage);
  }

  const ParameterList& moved() const { return moved_; }
  ParameterList matrices() { return encoder_weights(*model_); }
  double chance() const { return accuracy(majority_answers(data_.dev, data_.task)); }

  /// The share of dev that is answered right.
  double score() const {
    const std::vector<float> logits =
        classifier_outputs(compute_, *model_, dev_, dtype_.activations);
    return accuracy(answers_of(logits, data_.task));
  }

  Direction loss_gradient() const {
    std::vector<std::int32_t> all(data_.train.size());
    std::iota(all.begin(), all.end(), 0);
    const Batch batch =
        make_batch(compute_.backend(), compute_.memory(), train_, all, 0, dtype_.activations);
    return gradients_of(compute_, dtype_, moved_, [&](Context& context) {
      return cross_entropy(context, model_->logits(context, inputs_of(batch)), batch.labels,
                           1.0 / static_cast<double>(batch.loss_count));
    });
  }

  std::vector<Tensor> start() const {
    std::unique_ptr<SequenceClassifier> start;
    if (is_adapter()) {
      start = load_bare_classifier(compute_, base_, after_);
      alter_start(compute_.backend(), compute_.memory(), *start, method_, seed_);
      attach(compute_.backend(), compute_.memory(), *start, read_adapter_info(after_).method);
    } else {
      start = load_classifier(compute_, base_, std::nullopt, model_->outputs());
      alter_start(compute_.backend(), compute_.memory(), *start, method_, seed_);
    }
    std::vector<Tensor> values;
    for (const Parameter* parameter : moved_) {
      const bool is_head = parameter->role() == ParameterRole::Head;
      values.push_back(is_head ? parameter->value()
                               : start->parameters().at(parameter->name()).value());
    }
    return values;
  }

 private:
  bool is_adapter() const { return after_.filename() == "adapter"; }

  void load_rows(StageContext& stage) {
    const std::string& task = stage.stage.task;
    const TrainSettings train = config_.train_for(task, stage.stage.method);
    data_ = load_task(config_, task, train, *stage.data);
    if (data_.task.is_regression) {
      throw Error(
          fmt::format("{} is a regression: a landscape is of a score of right and wrong", task));
    }
    const auto cut = [](std::vector<Example>& rows, std::int64_t most) {
      if (most > 0) rows.resize(std::min(rows.size(), static_cast<std::size_t>(most)));
    };
    cut(data_.dev, config_.landscape.dev_rows);
    cut(data_.train, config_.landscape.worst_rows);
    const RowEncoder encoder(base_, config_.task.at(task), train.max_length, stage.cache);
    dev_ = encoder.encode(data_.dev, data_);
    train_ = encoder.encode(data_.train, data_);
  }

  void load_model(StageContext& stage) {
    model_ = load_finetuned(compute_, stage);
    const bool is_head_alone = method_.kind == "head";
    for (const auto& parameter : model_->parameters().all()) {
      const bool is_head = parameter->role() == ParameterRole::Head;
      const bool is_trained = parameter->is_trainable() && (is_head_alone || !is_head);
      const bool is_read =
          model_->config().head == "pooler" || !parameter->name().starts_with("pooler.");
      if (is_read && (is_adapter() ? is_trained : true)) moved_.push_back(parameter.get());
    }
    for (const auto& parameter : model_->parameters().all()) parameter->set_trainable(false);
  }

  double accuracy(const Answers& predicted) const {
    return basis::score(Metric::Accuracy, predicted, answers_of(data_.dev, data_.task));
  }

  const Config& config_;
  const MethodSettings& method_;
  const std::uint64_t seed_;
  Compute& compute_;
  const ComputeDType& dtype_;
  const std::filesystem::path base_, after_;
  TaskData data_;
  EncodedDataset dev_, train_;
  std::unique_ptr<SequenceClassifier> model_;
  ParameterList moved_;
};

}  // namespace

LandscapeSubject classifier_subject(StageContext& stage, Compute& compute,
                                    const ComputeDType& dtype) {
  const auto rows = std::make_shared<ClassifierOnRows>(stage, compute, dtype);
  return {rows->moved(),
          rows->matrices(),
          rows->chance(),
          [rows] { return rows->score(); },
          [rows] { return rows->loss_gradient(); },
          [rows] { return rows->start(); }};
}

}  // namespace basis
