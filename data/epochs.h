#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/batch_plan.h"

namespace basis {

/// Steps numbered over all epochs of a set: which micro-batches step n trains on, whichever step a
/// run starts or goes on from.
class Epochs {
 public:
  /// `offsets`: a set's RowOffsets, which must outlive it. Throws Error as BatchPlan does.
  Epochs(const std::vector<std::int64_t>& offsets, const BatchOptions& options, std::uint64_t seed);
  /// `dataset` must outlive it.
  Epochs(const EncodedDataset& dataset, const BatchOptions& options, std::uint64_t seed)
      : Epochs(dataset.offsets, options, seed) {}

  std::vector<MicroBatch> micro_batches(std::int64_t step);
  /// Steps of the first `epochs` epochs; a token budget may cut them differently.
  std::int64_t steps_of(std::int64_t epochs);

 private:
  const BatchPlan& plan(std::int64_t epoch);

  const std::vector<std::int64_t>& offsets_;
  BatchOptions options_;
  std::uint64_t seed_;
  std::vector<std::int64_t> begins_ = {0};  // first step of each epoch seen so far, and of the next
  std::unique_ptr<BatchPlan> plan_;
  std::int64_t plan_epoch_ = -1;
};

}  // namespace basis
