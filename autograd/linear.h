#pragma once

#include "autograd/context.h"

namespace basis {

/// y = x Wᵀ + b.
///   x: (T, in)   weight: (out, in)   bias: (out) or absent   returns (T, out)
/// Throws ShapeError when they do not fit.
Variable linear(Context&, const Variable& x, const Variable& weight, const Variable& bias);

/// alpha · a b, or alpha · a bᵀ with `transpose_b`.
///   a: (n, m)   b: (m, p), transposed (p, m)   returns (n, p)
Variable matmul(Context&, double alpha, const Variable& a, const Variable& b, bool transpose_b);

/// y + alpha · a b (or a bᵀ), written over y, which nobody else may read: a side path joins its
/// layer.
///   y: (n, p)   a: (n, m)   b: as in matmul   returns (n, p)
Variable add_matmul(Context&, const Variable& y, double alpha, const Variable& a, const Variable& b,
                    bool transpose_b);

}  // namespace basis
