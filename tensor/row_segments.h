#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

/// Rows sorted by the id that stands in them, on the host.
struct SortedRows {
  /// `row_ids`: (T), the id in each row, not negative.
  explicit SortedRows(std::span<const std::int32_t> row_ids);

  std::vector<std::int32_t> ids;      // (U): every id once, ascending
  std::vector<std::int32_t> offsets;  // (U + 1): where an id's rows begin among `rows`
  std::vector<std::int32_t> rows;     // (T): ascending within an id
};

/// The rows of a batch by the id that stands in them, for sums of each id's rows. A handle: copies
/// share what it points to.
class RowSegments {
 public:
  RowSegments() = default;
  /// `row_ids`: (T), the id in each row.
  RowSegments(Backend& backend, Allocator& allocator, std::span<const std::int32_t> row_ids);
  /// Over arrays that are in the backend's memory: offsets (C + 1), C >= U, the last ones all T,
  /// and rows (C').
  RowSegments(const SortedRows& sorted, const Tensor& offsets, const Tensor& rows);

  bool is_empty() const { return ids_ == nullptr; }
  /// (U), on the host: every id once, ascending.
  const std::vector<std::int32_t>& ids() const { return *ids_; }
  /// Segments in the backend's memory, C: those beyond U are empty.
  std::int64_t capacity() const { return offsets_.element_count() - 1; }
  /// (1, C + 1) i32: the rows of id u are rows()[offsets[u]] ... rows()[offsets[u + 1] - 1].
  ConstMatrixView offsets() const { return offsets_.view(); }
  /// (1, T or more) i32: ascending within an id.
  ConstMatrixView rows() const { return rows_.view(); }

  /// Other ids, for all copies: their rows now stand in the arrays that these were made over.
  void set_ids(std::vector<std::int32_t> ids) { *ids_ = std::move(ids); }

 private:
  std::shared_ptr<std::vector<std::int32_t>> ids_;
  Tensor offsets_;
  Tensor rows_;
};

}  // namespace basis
