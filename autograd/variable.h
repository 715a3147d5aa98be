#pragma once

#include <string>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

/// A gradient while it is being summed. A parameter's is a slice of the flat gradient buffer; that
/// of a value inside a step gets its memory at the first write and loses it when its node has been
/// replayed.
struct Gradient {
  Tensor tensor;
  bool is_written = false;

  /// What a kernel multiplies the old content by: 0 on the first write, 1 after.
  double beta() const { return is_written ? 1.0 : 0.0; }
};

/// A value and its place on the tape. Copies are cheap and mean the same value.
struct Variable {
  Tensor value;
  Gradient* gradient = nullptr;              // null: no gradient is wanted
  const PreparedWeight* prepared = nullptr;  // of a parameter that is a weight, where it keeps one
  const std::string* name = nullptr;         // of a parameter, for messages

  bool is_absent() const { return value.is_empty(); }
  bool wants_gradient() const { return gradient != nullptr; }
  const Shape& shape() const { return value.shape(); }
  MatrixView view() const { return value.view(); }
  /// " of encoder.layer.0.output.dense.weight", or nothing.
  std::string of_name() const { return name == nullptr ? std::string() : " of " + *name; }
};

/// A Variable that asks for no gradient.
inline Variable constant(Tensor value) {
  return Variable{std::move(value)};
}

}  // namespace basis
