#pragma once

#include "autograd/context.h"

namespace basis {

/// What a forward layer norm leaves for backward: the normalised rows, of which backward makes the
/// output again where a product needs it, and 1 / sigma.
struct LayerNormForward {
  Tensor normalised;  // (T, H); empty where nothing is recorded
  Tensor rstd;        // (1, T)
  Variable gamma, beta;
  Dropout dropout = {};
  SequenceView sequences = {};

  /// `is_recorded`: whether backward will need it.
  LayerNormForward(const Context&, const Shape& shape, const Variable& gamma, const Variable& beta,
                   bool is_recorded);
  MatrixView normalised_view() const {
    return normalised.is_empty() ? MatrixView{} : normalised.view();
  }
};

/// Puts y, the norm of dropout(x) + residual, on the tape. x, residual: gradients of the operands
/// that want one, else null.
void record_layer_norm(Context&, Variable& y, const LayerNormForward& forward, Gradient* x,
                       Gradient* residual);

/// A vector (H) as the row (1, H) that kernels take.
inline MatrixView vector_as_row(const Tensor& vector) {
  return vector.reshape({1, vector.element_count()}).view();
}

}  // namespace basis
