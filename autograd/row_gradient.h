#pragma once

#include <vector>

#include "tensor/row_segments.h"

namespace basis {

struct Context;

/// The gradient of a table of which a step reads few rows: those rows alone, while they are summed.
class RowGradient {
 public:
  /// Of a table (V, H). Address space is taken for all of its rows, memory for those that are used.
  RowGradient(Backend& backend, Allocator& allocator, const Shape& table, DType dtype);
  RowGradient(const RowGradient&) = delete;
  RowGradient& operator=(const RowGradient&) = delete;

  /// Forgets all rows.
  void clear();
  /// Adds the rows x_t to those of their ids, in the order of t: in pieces as in one.
  ///   x: (T, H) of the context's dtype
  void add(const Context&, const Tensor& x, const RowSegments& segments);

  /// What was added since the last clear. Whoever has queued the same sums again (a CUDA graph)
  /// says so by `set_added`, of ids that may be others by now.
  const std::vector<RowSegments>& added() const { return added_; }
  void set_added(const std::vector<RowSegments>& added);

  /// (U): the ids that have a row, in the order in which they came.
  const std::vector<std::int32_t>& ids() const { return ids_; }
  /// (U, H)
  Tensor rows() const { return sums_.rows(0, std::ssize(ids_)); }
  /// (V, H), zero where no row is.
  Tensor to_dense(Allocator& allocator) const;

 private:
  std::vector<std::int32_t> add_ids(const RowSegments& segments);

  Backend& backend_;
  Tensor sums_;          // (V, H), of which the first U rows
  Tensor first_places_;  // (1, V) i32: 0, 1, 2, ...
  std::vector<RowSegments> added_;
  std::vector<std::int32_t> ids_;     // (U)
  std::vector<std::int32_t> places_;  // (V): place of an id in ids_, or -1
};

}  // namespace basis
