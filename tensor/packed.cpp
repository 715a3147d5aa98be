#include "tensor/packed.h"

#include <algorithm>

namespace basis {

PackedLayout::PackedLayout(Backend& backend, Allocator& allocator,
                           std::span<const std::int32_t> lengths, std::int64_t first_example) {
  if (lengths.empty()) throw Error("packed layout: a batch needs at least one sequence");
  host_offsets_.push_back(0);
  for (std::int32_t length : lengths) {
    if (length <= 0) throw Error("packed layout: a sequence needs at least one token");
    host_offsets_.push_back(host_offsets_.back() + length);
  }
  tokens_ = host_offsets_.back();
  const std::int64_t bucket = backend.row_bucket();
  const std::int64_t rows = (tokens_ + bucket - 1) / bucket * bucket;

  std::vector<std::int32_t> sequence_of_row;
  sequence_of_row.reserve(static_cast<std::size_t>(rows));
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    sequence_of_row.insert(sequence_of_row.end(), static_cast<std::size_t>(lengths[b]),
                           static_cast<std::int32_t>(b));
  }
  sequence_of_row.resize(static_cast<std::size_t>(rows),
                         static_cast<std::int32_t>(lengths.size() - 1));

  const auto sequences = static_cast<std::int64_t>(lengths.size());
  offsets_ = to_device<std::int32_t>(backend, allocator, host_offsets_, {sequences + 1});
  sequence_of_row_ = to_device<std::int32_t>(backend, allocator, sequence_of_row, {rows});
  view_ = {offsets_.data<std::int32_t>(),
           sequence_of_row_.data<std::int32_t>(),
           rows,
           sequences,
           *std::max_element(lengths.begin(), lengths.end()),
           first_example};
}

SequenceView PackedLayout::pooled_view() const {
  return {nullptr, nullptr, sequences(), sequences(), 1, view_.first_example};
}

}  // namespace basis
