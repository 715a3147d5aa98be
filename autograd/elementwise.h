#pragma once

#include "autograd/context.h"

namespace basis {

/// a + alpha b, of equal shapes.
Variable add(Context&, const Variable& a, double alpha, const Variable& b);

/// alpha x.
Variable scale(Context&, double alpha, const Variable& x);

/// y_tj = x_tj v_j.   x: (T, n)   v: (n)   returns (T, n)
Variable scale_columns(Context&, const Variable& x, const Variable& v);

/// GELU (erf or tanh form), ReLU or tanh.
Variable activation(Context&, Activation kind, const Variable& x);

/// Inverted dropout, off outside training. `sequences` tells example and position of each row
/// (PackedLayout::view, or pooled_view for one row a sequence).
Variable dropout(Context&, const Variable& x, const Dropout& site, const SequenceView& sequences);

/// Compact band (2 d + 1, k), entry (d + j - i, i) = M_ij, to the dense M (k, k).
Variable band_to_dense(Context&, const Variable& band);

}  // namespace basis
