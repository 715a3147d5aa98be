#pragma once

#include "autograd/context.h"

namespace basis {

/// Curvature Tuning's activation (arXiv 2502.07783) of x + bias, a function for each channel:
///   f(x) = c s(x beta / o) x + (1 - c) o softplus(x / o),   o = 1 - beta + 1e-6,
/// s the logistic function. beta = 1 gives ReLU, beta = 0 a blend of a line and softplus; c = 1,
/// beta = 0.64 is near GELU.
///   x: (T, n)   bias: (n) or absent   beta, c: (n), from 0 to 1, of the accumulation dtype
///   returns (T, n)
/// Of (T, n) only x is kept; backward makes the output again where a product needs it.
/// Throws ShapeError when bias, beta or c is not (n).
Variable curvature_activation(Context&, const Variable& x, const Variable& bias,
                              const Variable& beta, const Variable& c);

}  // namespace basis
