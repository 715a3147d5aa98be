#pragma once

#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

/// Arrays of integers that reach a backend's memory in one copy, each aligned to 64 bytes.
class IntegerBlock {
 public:
  /// Elements of the block.
  struct Place {
    std::int64_t begin, end;
  };

  /// The next array: `values`, then `filler` up to `capacity` elements.
  Place add(std::span<const std::int32_t> values, std::int64_t capacity, std::int32_t filler = 0);
  Place add(std::span<const std::int32_t> values) { return add(values, std::ssize(values)); }

  /// All of them, (n) i32.
  Tensor to_device(Backend& backend, Allocator& allocator) const;
  /// Into a tensor that to_device gave for arrays of the same capacities.
  void overwrite(Backend& backend, const Tensor& block) const;

 private:
  std::vector<std::int32_t> values_;
};

/// (n) i32: one array of a block.
inline Tensor array_at(const Tensor& block, IntegerBlock::Place place) {
  return block.rows(place.begin, place.end);
}

}  // namespace basis
