#pragma once

#include <functional>
#include <span>

#include "autograd/context.h"

namespace basis {

/// What one linear layer multiplies with.   weight: (out, in)   bias: (out) or absent
struct WeightAndBias {
  Variable weight;
  Variable bias;
  /// In place of the weight, which then asks for no gradient: a function of it, made for each
  /// product and forgotten after it.
  std::function<Tensor(Context&)> made = nullptr;
};

/// y = x Wᵀ + b.
///   x: (T, in)   returns (T, out)
/// Throws ShapeError when they do not fit.
Variable linear(Context&, const Variable& x, const Variable& weight, const Variable& bias);

/// [x W₀ᵀ + b₀ | x W₁ᵀ + b₁ | …]: layers of one input side by side. Their weight gradients are one
/// product where they follow each other in memory, as the optimiser lays them out.
///   x: (T, in)   returns (T, sum of out)
Variable linear(Context&, const Variable& x, std::span<const WeightAndBias> layers);

/// alpha · a b, or alpha · a bᵀ with `transpose_b`.
///   a: (n, m)   b: (m, p), transposed (p, m)   returns (n, p)
Variable matmul(Context&, double alpha, const Variable& a, const Variable& b, bool transpose_b);

/// y with alpha · a b (or a bᵀ) added to its columns, written over y, which nobody else may read: a
/// side path joins its layer.
///   y: (n, p) of wider rows   a: (n, m)   b: as in matmul   returns y whole
Variable add_matmul(Context&, const ColumnsOf& y, double alpha, const Variable& a,
                    const Variable& b, bool transpose_b);

/// y as if add_matmul had made it: for a product that y holds already (WeightAndBias::made), whose
/// factors want gradients.
Variable with_matmul(Context&, const ColumnsOf& y, double alpha, const Variable& a,
                     const Variable& b, bool transpose_b);

}  // namespace basis
