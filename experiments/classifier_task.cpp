#include "experiments/classifier_task.h"

#include "autograd/losses.h"
#include "experiments/step_graphs.h"
#include "experiments/task_scores.h"

namespace basis {

ClassifierTask::ClassifierTask(Compute& compute, const ComputeDType& dtype,
                               const SequenceClassifier& model, const EncodedDataset& train_set,
                               const BatchOptions& options, std::int64_t seed, bool has_graphs)
    : compute_(compute),
      dtype_(dtype),
      model_(model),
      train_set_(train_set),
      has_graphs_(has_graphs && compute.backend().can_record()),
      epochs_(train_set, options, static_cast<std::uint64_t>(seed)),
      fixed_(compute.backend(), compute.memory(), dtype.activations) {}

TrainingTask ClassifierTask::training_task(std::int64_t steps) {
  TrainingTask task;
  task.steps = steps;
  task.begin_step = [this](std::int64_t step) { return begin_step(step); };
  task.loss = [this](Context& context, std::int64_t i, double scale) {
    return loss(context, i, scale);
  };
  task.name_of_pass = [this] { return name_of_pass_; };
  return task;
}

TrainingTask::Step ClassifierTask::begin_step(std::int64_t step) {
  batches_.clear();
  name_of_pass_.clear();
  const std::vector<MicroBatch> micro_batches = epochs_.micro_batches(step);
  if (has_graphs_ && micro_batches.size() == 1) place_fixed(micro_batches.front());
  TrainingTask::Step result;
  if (name_of_pass_.empty()) {
    for (const MicroBatch& micro : micro_batches) {
      batches_.push_back(make_batch(compute_.backend(), compute_.memory(), train_set_,
                                    micro.examples, micro.first_example, dtype_.activations));
    }
  }
  for (const Batch& batch : batches_) {
    result.loss_count += batch.loss_count;
    result.tokens += batch.layout.tokens();
  }
  result.micro_batches = std::ssize(batches_);
  return result;
}

/// A batch where a recorded pass finds it.
void ClassifierTask::place_fixed(const MicroBatch& micro) {
  const HostBatch host = gather_batch(train_set_, micro.examples, micro.first_example);
  const Batch* batch = fixed_.place(host);
  if (batch == nullptr) return;
  batches_.push_back(*batch);
  name_of_pass_ = name_of_pass(shape_of(compute_.backend(), host), batch->loss_count);
}

Variable ClassifierTask::loss(Context& context, std::int64_t i, double scale) const {
  const Batch& batch = batches_[static_cast<std::size_t>(i)];
  const Variable logits = model_.logits(context, inputs_of(batch));
  return train_set_.is_regression() ? squared_error(context, logits, batch.targets, scale)
                                    : cross_entropy(context, logits, batch.labels, scale);
}

}  // namespace basis
