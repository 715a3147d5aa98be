#include "tensor/integer_block.h"

namespace basis {

namespace {
constexpr std::size_t alignment = 16;  // elements
}

IntegerBlock::Place IntegerBlock::add(std::span<const std::int32_t> values, std::int64_t capacity,
                                      std::int32_t filler) {
  ensure(std::ssize(values) <= capacity, "an array fits its capacity");
  values_.resize((values_.size() + alignment - 1) / alignment * alignment, 0);
  const auto begin = static_cast<std::int64_t>(values_.size());
  values_.insert(values_.end(), values.begin(), values.end());
  values_.resize(static_cast<std::size_t>(begin + capacity), filler);
  return {begin, begin + capacity};
}

Tensor IntegerBlock::to_device(Backend& backend, Allocator& allocator) const {
  const Tensor block =
      Tensor::allocate(allocator, {std::ssize(values_)}, DType::I32, backend.device());
  overwrite(backend, block);
  return block;
}

void IntegerBlock::overwrite(Backend& backend, const Tensor& block) const {
  ensure(block.element_count() == std::ssize(values_), "a block of the same arrays");
  backend.copy_to_device(values_.data(), block.bytes_begin(), block.bytes());
}

}  // namespace basis
