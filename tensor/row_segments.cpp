#include "tensor/row_segments.h"

#include <algorithm>

#include "tensor/integer_block.h"

namespace basis {

SortedRows::SortedRows(std::span<const std::int32_t> row_ids) {
  // Id and row in one number each: sorted, they are ascending within an id.
  std::vector<std::uint64_t> keys(row_ids.size());
  for (std::size_t row = 0; row < row_ids.size(); ++row) {
    ensure(row_ids[row] >= 0, "an id of a row is not negative");
    keys[row] = static_cast<std::uint64_t>(row_ids[row]) << 32 | row;
  }
  std::sort(keys.begin(), keys.end());
  for (const std::uint64_t key : keys) {
    const auto id = static_cast<std::int32_t>(key >> 32);
    if (ids.empty() || ids.back() != id) {
      ids.push_back(id);
      offsets.push_back(static_cast<std::int32_t>(rows.size()));
    }
    rows.push_back(static_cast<std::int32_t>(key & 0xffffffffu));
  }
  offsets.push_back(static_cast<std::int32_t>(rows.size()));
}

RowSegments::RowSegments(Backend& backend, Allocator& allocator,
                         std::span<const std::int32_t> row_ids) {
  const SortedRows sorted(row_ids);
  IntegerBlock block;
  const auto offsets = block.add(sorted.offsets);
  const auto rows = block.add(sorted.rows);
  const Tensor memory = block.to_device(backend, allocator);
  *this = RowSegments(sorted, array_at(memory, offsets), array_at(memory, rows));
}

RowSegments::RowSegments(const SortedRows& sorted, const Tensor& offsets, const Tensor& rows)
    : ids_(std::make_shared<std::vector<std::int32_t>>(sorted.ids)),
      offsets_(offsets.reshape({1, offsets.element_count()})),
      rows_(rows.reshape({1, rows.element_count()})) {}

}  // namespace basis
