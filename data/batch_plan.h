#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace basis {

/// How a set is cut into the batches of an epoch.
struct BatchOptions {
  std::int64_t examples = 32;  // of a batch at most; 0: no limit
  std::int64_t tokens = 0;     // of a batch at most (a longer example stands alone); 0: no limit
  std::int64_t micro_examples = 0;  // of a micro-batch at most; 0: the whole batch at once
  bool is_shuffled = true;          // false: in the set's order, for evaluation
  bool is_length_grouped = false;   // batches of similar lengths, for kernels that pad
};

/// (rows + 1): where the tokens of each row of a set begin, and where the last one's end.
using RowOffsets = std::span<const std::int64_t>;

/// Part of a batch that one forward and backward pass takes.
struct MicroBatch {
  std::span<const std::int32_t> examples;  // rows of the set
  std::int64_t first_example = 0;          // place of the first one in the whole batch
};

/// The batches of one epoch: a pure function of (lengths, options, seed, epoch), so that a resumed
/// run makes the same ones. Every example stands in exactly one batch, the last batch may be
/// smaller. Length-grouped as transformers' `group_by_length` is: the shuffled examples are sorted
/// by length within pools of 50 batches (fewer in a small set, so that there are at least 4 pools),
/// and then the batches are shuffled.
class BatchPlan {
 public:
  /// Throws Error for no examples, or no limit of either kind.
  BatchPlan(RowOffsets offsets, const BatchOptions& options, std::uint64_t seed,
            std::uint64_t epoch);
  BatchPlan(const EncodedDataset& dataset, const BatchOptions& options, std::uint64_t seed,
            std::uint64_t epoch)
      : BatchPlan(RowOffsets(dataset.offsets), options, seed, epoch) {}

  /// Batches, which are optimiser steps, of the epoch.
  std::int64_t size() const { return std::ssize(batches_); }
  /// Rows of the set in batch `batch`.
  std::span<const std::int32_t> examples(std::int64_t batch) const;
  std::vector<MicroBatch> micro_batches(std::int64_t batch) const;

  // The largest of all micro-batches, so that a step's arena can be sized.
  std::int64_t max_tokens() const { return max_tokens_; }
  std::int64_t max_rows(std::int64_t row_bucket) const;  // max_tokens in whole buckets
  std::int64_t max_sequences() const { return max_sequences_; }
  std::int64_t longest() const { return longest_; }  // sequence

 private:
  struct Range {
    std::int64_t begin, end;  // in order_
  };
  void group_by_length(RowOffsets offsets, const BatchOptions& options);
  void cut(RowOffsets offsets, const BatchOptions& options);
  void measure(RowOffsets offsets);

  std::vector<std::int32_t> order_;
  std::vector<Range> batches_;
  std::int64_t micro_examples_ = 0;
  std::int64_t max_tokens_ = 0;
  std::int64_t max_sequences_ = 0;
  std::int64_t longest_ = 0;
};

}  // namespace basis
