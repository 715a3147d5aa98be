#pragma once

#include <memory>
#include <string>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

class GradientRun;
class Remade;
class RowGradient;

/// A gradient while it is being summed. It gets its memory at the first write; that of a value
/// inside a step loses it when its node has been replayed, a parameter's after the update.
struct Gradient {
  static constexpr std::int64_t leaf = -1;

  Tensor tensor;
  GradientRun* run = nullptr;   // where memory comes from together with that of neighbours
  RowGradient* rows = nullptr;  // of a table whose gradient is rows; `tensor` stays empty
  bool is_written = false;
  std::int64_t node = leaf;  // place on the tape of the operation that made the value

  /// What a kernel multiplies the old content by: 0 on the first write, 1 after.
  double beta() const { return is_written ? 1.0 : 0.0; }
};

/// A value and its place on the tape. Copies are cheap and mean the same value.
struct Variable {
  Tensor value;
  Gradient* gradient = nullptr;              // null: no gradient is wanted
  const PreparedWeight* prepared = nullptr;  // of a parameter that is a weight, where it keeps one
  const std::string* name = nullptr;         // of a parameter, for messages
  std::shared_ptr<Remade> remade = nullptr;  // where backward makes the value again (kept.h)
  RowDebt debt = {};                         // of a table whose rows may owe weight decay

  bool is_absent() const { return value.is_empty(); }
  bool wants_gradient() const { return gradient != nullptr; }
  const Shape& shape() const { return value.shape(); }
  MatrixView view() const { return value.view(); }
  /// " of encoder.layer.0.output.dense.weight", or nothing.
  std::string of_name() const { return name == nullptr ? std::string() : " of " + *name; }
};

/// Columns [first, first + count) of a Variable: one of several values that stand side by side.
struct ColumnsOf {
  Variable whole;
  std::int64_t first = 0;
  std::int64_t count = 0;

  MatrixView of(const Tensor& tensor) const { return tensor.columns(first, first + count); }
  MatrixView view() const { return of(whole.value); }
};

/// All columns.
inline ColumnsOf all_columns(const Variable& x) {
  return {x, 0, x.shape().column_count()};
}

/// A Variable that asks for no gradient.
inline Variable constant(Tensor value) {
  return Variable{std::move(value)};
}

}  // namespace basis
