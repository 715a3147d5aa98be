#pragma once

#include "autograd/context.h"

namespace basis {

/// Softmax cross-entropy, summed over the rows whose label is not negative.
///   logits: (n, C)   labels: (n) i32   returns (1, 1) f64, the plain sum
/// The gradient is that of `scale` times the sum: with scale = 1 / (count of the whole step, over
/// all micro-batches) accumulated micro-batches give the large batch's mean.
Variable cross_entropy(Context&, const Variable& logits, const Tensor& labels, double scale);

/// Sum of squared errors.   prediction: (n, m)   target: (n, m)   returns (1, 1) f64
/// `scale` as in cross_entropy.
Variable squared_error(Context&, const Variable& prediction, const Tensor& target, double scale);

}  // namespace basis
