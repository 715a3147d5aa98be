#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

/// The rows of a batch by the id that stands in them, for sums of each id's rows. A handle: copies
/// share what it points to.
class RowSegments {
 public:
  RowSegments() = default;
  /// `row_ids`: (T), the id in each row.
  RowSegments(Backend& backend, Allocator& allocator, std::span<const std::int32_t> row_ids);

  bool is_empty() const { return ids_ == nullptr; }
  /// (U), on the host: every id once, ascending.
  const std::vector<std::int32_t>& ids() const { return *ids_; }
  /// (1, U + 1) i32: the rows of id u are rows()[offsets[u]] ... rows()[offsets[u + 1] - 1].
  ConstMatrixView offsets() const { return offsets_.view(); }
  /// (1, T) i32: ascending within an id.
  ConstMatrixView rows() const { return rows_.view(); }

 private:
  std::shared_ptr<const std::vector<std::int32_t>> ids_;
  Tensor offsets_;
  Tensor rows_;
};

}  // namespace basis
