#include "tensor/row_segments.h"

#include <algorithm>

#include "tensor/packed.h"

namespace basis {

RowSegments::RowSegments(Backend& backend, Allocator& allocator,
                         std::span<const std::int32_t> row_ids) {
  // Id and row in one number each: sorted, they are ascending within an id.
  std::vector<std::uint64_t> keys(row_ids.size());
  for (std::size_t row = 0; row < row_ids.size(); ++row) {
    ensure(row_ids[row] >= 0, "an id of a row is not negative");
    keys[row] = static_cast<std::uint64_t>(row_ids[row]) << 32 | row;
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::int32_t> ids, offsets, rows;
  for (const std::uint64_t key : keys) {
    const auto id = static_cast<std::int32_t>(key >> 32);
    if (ids.empty() || ids.back() != id) {
      ids.push_back(id);
      offsets.push_back(static_cast<std::int32_t>(rows.size()));
    }
    rows.push_back(static_cast<std::int32_t>(key & 0xffffffffu));
  }
  offsets.push_back(static_cast<std::int32_t>(rows.size()));
  offsets_ = to_device<std::int32_t>(backend, allocator, offsets, {1, std::ssize(offsets)});
  rows_ = to_device<std::int32_t>(backend, allocator, rows, {1, std::ssize(rows)});
  ids_ = std::make_shared<const std::vector<std::int32_t>>(std::move(ids));
}

}  // namespace basis
