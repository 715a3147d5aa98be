#include "data/batch_plan.h"

#include <algorithm>
#include <numeric>

#include "data/shuffle.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t pool_batches = 50;  // of length-grouping
constexpr std::int64_t fewest_pools = 4;

// Purposes of RandomStream: in the upper half a name, in the lower half the epoch.
constexpr std::uint64_t shuffle_examples = 0x73687566ull << 32;  // "shuf"
constexpr std::uint64_t shuffle_batches = 0x62617463ull << 32;   // "batc"

std::int64_t row_count(RowOffsets offsets) {
  return std::ssize(offsets) - 1;
}

std::int64_t length_of(RowOffsets offsets, std::int64_t row) {
  const auto i = static_cast<std::size_t>(row);
  return offsets[i + 1] - offsets[i];
}

}  // namespace

BatchPlan::BatchPlan(RowOffsets offsets, const BatchOptions& options, std::uint64_t seed,
                     std::uint64_t epoch)
    : micro_examples_(options.micro_examples) {
  if (row_count(offsets) <= 0) throw Error("batches: the set has no examples");
  if (options.examples < 0 || options.tokens < 0 || options.micro_examples < 0) {
    throw Error("batches: a limit is negative");
  }
  if (options.examples == 0 && options.tokens == 0) {
    throw Error("batches: limit the examples or the tokens of a batch");
  }
  ensure(epoch <= UINT32_MAX, "an epoch below 2^32");
  order_.resize(static_cast<std::size_t>(row_count(offsets)));
  std::iota(order_.begin(), order_.end(), 0);
  if (options.is_shuffled) shuffle(order_, seed, shuffle_examples | epoch);
  if (options.is_length_grouped) group_by_length(offsets, options);
  cut(offsets, options);
  if (options.is_length_grouped && options.is_shuffled) {
    shuffle(batches_, seed, shuffle_batches | epoch);
  }
  measure(offsets);
}

void BatchPlan::group_by_length(RowOffsets offsets, const BatchOptions& options) {
  const std::int64_t n = row_count(offsets);
  std::int64_t per_batch = options.examples == 0 ? n : options.examples;
  if (options.tokens > 0) {
    const std::int64_t mean_length =
        std::max<std::int64_t>(1, (offsets.back() - offsets.front()) / n);
    per_batch = std::min(per_batch, std::max<std::int64_t>(1, options.tokens / mean_length));
  }
  const std::int64_t batches =
      std::clamp<std::int64_t>(n / (per_batch * fewest_pools), 1, pool_batches);
  const std::int64_t pool = batches * per_batch;
  for (std::int64_t begin = 0; begin < n; begin += pool) {
    std::stable_sort(order_.begin() + begin, order_.begin() + std::min(begin + pool, n),
                     [&](std::int32_t a, std::int32_t b) {
                       return length_of(offsets, a) > length_of(offsets, b);
                     });
  }
}

void BatchPlan::cut(RowOffsets offsets, const BatchOptions& options) {
  std::int64_t begin = 0, tokens = 0;
  for (std::int64_t i = 0; i < row_count(offsets); ++i) {
    const std::int64_t length = length_of(offsets, order_[static_cast<std::size_t>(i)]);
    const bool is_full = (options.examples > 0 && i - begin == options.examples) ||
                         (options.tokens > 0 && tokens + length > options.tokens);
    if (is_full && i > begin) {
      batches_.push_back({begin, i});
      begin = i;
      tokens = 0;
    }
    tokens += length;
  }
  batches_.push_back({begin, row_count(offsets)});
}

void BatchPlan::measure(RowOffsets offsets) {
  for (std::int64_t batch = 0; batch < size(); ++batch) {
    for (const MicroBatch& micro : micro_batches(batch)) {
      std::int64_t tokens = 0;
      for (std::int32_t example : micro.examples) {
        tokens += length_of(offsets, example);
        longest_ = std::max(longest_, length_of(offsets, example));
      }
      max_tokens_ = std::max(max_tokens_, tokens);
      max_sequences_ = std::max(max_sequences_, std::ssize(micro.examples));
    }
  }
}

std::span<const std::int32_t> BatchPlan::examples(std::int64_t batch) const {
  const Range range = batches_.at(static_cast<std::size_t>(batch));
  return std::span(order_).subspan(static_cast<std::size_t>(range.begin),
                                   static_cast<std::size_t>(range.end - range.begin));
}

std::vector<MicroBatch> BatchPlan::micro_batches(std::int64_t batch) const {
  const auto all = examples(batch);
  const std::size_t most =
      micro_examples_ == 0 ? all.size() : static_cast<std::size_t>(micro_examples_);
  std::vector<MicroBatch> micro;
  for (std::size_t begin = 0; begin < all.size(); begin += most) {
    micro.push_back(
        {all.subspan(begin, std::min(most, all.size() - begin)), static_cast<std::int64_t>(begin)});
  }
  return micro;
}

std::int64_t BatchPlan::max_rows(std::int64_t row_bucket) const {
  return (max_tokens_ + row_bucket - 1) / row_bucket * row_bucket;
}

}  // namespace basis
