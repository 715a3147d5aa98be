#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/epochs.h"
#include "experiments/compute.h"
#include "experiments/trainer.h"
#include "nn/sequence_classifier.h"

namespace basis {

/// Classification or regression of a set's rows as the trainer sees it. Everything that is given
/// must outlive it.
class ClassifierTask {
 public:
  /// `seed`: of the order of the rows. `has_graphs`: passes may be recorded.
  ClassifierTask(Compute& compute, const ComputeDType& dtype, const SequenceClassifier& model,
                 const EncodedDataset& train_set, const BatchOptions& options, std::int64_t seed,
                 bool has_graphs);

  /// Steps are numbered over all epochs; each epoch has a plan of its own.
  TrainingTask training_task(std::int64_t steps);
  /// Of the first `epochs` epochs.
  std::int64_t steps_of(std::int64_t epochs) { return epochs_.steps_of(epochs); }

 private:
  TrainingTask::Step begin_step(std::int64_t step);
  void place_fixed(const MicroBatch& micro);
  Variable loss(Context& context, std::int64_t i, double scale) const;

  Compute& compute_;
  const ComputeDType& dtype_;
  const SequenceClassifier& model_;
  const EncodedDataset& train_set_;
  bool has_graphs_;
  Epochs epochs_;
  FixedBatches fixed_;
  std::vector<Batch> batches_;  // of the current step
  std::string name_of_pass_;    // of the current step, where it may be recorded
};

}  // namespace basis
