#include "tensor/packed.h"

#include <algorithm>

#include "tensor/integer_block.h"

namespace basis {

PackedArrays::PackedArrays(std::span<const std::int32_t> lengths, std::int64_t bucket) {
  if (lengths.empty()) throw Error("packed layout: a batch needs at least one sequence");
  offsets.push_back(0);
  for (std::int32_t length : lengths) {
    if (length <= 0) throw Error("packed layout: a sequence needs at least one token");
    sequence_of_row.insert(sequence_of_row.end(), static_cast<std::size_t>(length),
                           static_cast<std::int32_t>(offsets.size()) - 1);
    offsets.push_back(offsets.back() + length);
    longest = std::max<std::int64_t>(longest, length);
    pairs += std::int64_t{length} * length;
  }
  const std::int64_t rows = (offsets.back() + bucket - 1) / bucket * bucket;
  sequence_of_row.resize(static_cast<std::size_t>(rows),
                         static_cast<std::int32_t>(lengths.size()) - 1);
}

PackedLayout::PackedLayout(Backend& backend, Allocator& allocator,
                           std::span<const std::int32_t> lengths, std::int64_t first_example) {
  const PackedArrays arrays(lengths, backend.row_bucket());
  IntegerBlock block;
  const auto offsets = block.add(arrays.offsets);
  const auto sequence_of_row = block.add(arrays.sequence_of_row);
  const Tensor memory = block.to_device(backend, allocator);
  *this = PackedLayout(arrays, array_at(memory, offsets), array_at(memory, sequence_of_row),
                       arrays.longest, first_example);
}

PackedLayout::PackedLayout(const PackedArrays& arrays, const Tensor& offsets,
                           const Tensor& sequence_of_row, std::int64_t longest,
                           std::int64_t first_example)
    : tokens_(arrays.offsets.back()),
      longest_(arrays.longest),
      host_offsets_(arrays.offsets),
      offsets_(offsets),
      sequence_of_row_(sequence_of_row),
      view_{offsets.data<std::int32_t>(),
            sequence_of_row.data<std::int32_t>(),
            std::ssize(arrays.sequence_of_row),
            std::ssize(arrays.offsets) - 1,
            longest,
            first_example,
            arrays.pairs,
            arrays.offsets.back()} {}

SequenceView PackedLayout::pooled_view() const {
  return {nullptr, nullptr, sequences(), sequences(), 1, view_.first_example};
}

}  // namespace basis
