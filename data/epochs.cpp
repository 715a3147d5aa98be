#include "data/epochs.h"

#include <algorithm>

namespace basis {

Epochs::Epochs(const std::vector<std::int64_t>& offsets, const BatchOptions& options,
               std::uint64_t seed)
    : offsets_(offsets), options_(options), seed_(seed) {
  plan(0);
}

const BatchPlan& Epochs::plan(std::int64_t epoch) {
  if (epoch != plan_epoch_) {
    plan_ =
        std::make_unique<BatchPlan>(offsets_, options_, seed_, static_cast<std::uint64_t>(epoch));
    plan_epoch_ = epoch;
  }
  if (epoch + 1 == std::ssize(begins_)) begins_.push_back(begins_.back() + plan_->size());
  return *plan_;
}

std::int64_t Epochs::steps_of(std::int64_t epochs) {
  while (std::ssize(begins_) <= epochs) plan(std::ssize(begins_) - 1);
  return begins_[static_cast<std::size_t>(epochs)];
}

std::vector<MicroBatch> Epochs::micro_batches(std::int64_t step) {
  while (begins_.back() <= step) plan(std::ssize(begins_) - 1);
  const auto next = std::upper_bound(begins_.begin(), begins_.end(), step);
  const std::int64_t epoch = next - begins_.begin() - 1;
  return plan(epoch).micro_batches(step - begins_[static_cast<std::size_t>(epoch)]);
}

}  // namespace basis
