#pragma once

#include "autograd/context.h"

namespace basis {

/// layer_norm(dropout(x) + residual) over the last axis (arXiv 1607.06450, eq. 4), the block that
/// closes each half of a BERT layer.
///   x: (T, H)   residual: (T, H) or absent   gamma, beta: (H)   returns (T, H)
/// The variance is the biased one, computed about the mean in two passes. Dropout is off outside
/// training. Throws ShapeError when gamma or beta is not (H) or the residual is not x's shape.
Variable residual_layer_norm(Context&, const Variable& x, const Dropout& site,
                             const Variable& residual, const SequenceView& sequences,
                             const Variable& gamma, const Variable& beta, double epsilon);

/// Layer normalisation alone.
Variable layer_norm(Context&, const Variable& x, const Variable& gamma, const Variable& beta,
                    double epsilon);

}  // namespace basis
