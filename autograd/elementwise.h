#pragma once

#include "autograd/context.h"

namespace basis {

/// a + alpha b, of equal shapes.
Variable add(Context&, const Variable& a, double alpha, const Variable& b);

/// y with alpha b added to its columns, written over y, which nobody else may read.
///   y: (n, p) of wider rows   b: (n, p)   returns y whole
Variable add_to_columns(Context&, const ColumnsOf& y, double alpha, const Variable& b);

/// alpha x.
Variable scale(Context&, double alpha, const Variable& x);

/// x in another floating dtype; its gradient comes back in x's own. x itself where it has it.
Variable cast(Context&, const Variable& x, DType dtype);

/// y_tj = x_tj v_j.   x: (T, n)   v: (n)   returns (T, n)
Variable scale_columns(Context&, const Variable& x, const Variable& v);

/// y with its columns scaled and shifted, y_tj v_j + shift_j, written over y, which nobody else may
/// read.
///   y: (n, p) of wider rows   v, shift: (p), shift absent or frozen   returns y whole
Variable scale_columns_of(Context&, const ColumnsOf& y, const Variable& v,
                          const Variable& shift = {});

/// v_i / ‖w_i‖, w_i the rows of w. The norms count as constants in the gradient: DoRA's, arXiv
/// 2402.09353, section 4.3.
///   v: (n)   w: (n, m)   returns (1, n)
Variable over_row_norms(Context&, const Variable& v, const Tensor& w);

/// f(x + bias), f GELU (erf or tanh form), ReLU, tanh or the logistic function.
///   x: (T, n)   bias: (n) or absent   returns (T, n)
/// Only x is kept; backward makes the output again where a product needs it.
Variable activation(Context&, Activation kind, const Variable& x, const Variable& bias = {});

/// Inverted dropout, off outside training. `sequences` tells example and position of each row
/// (PackedLayout::view, or pooled_view for one row a sequence).
Variable dropout(Context&, const Variable& x, const Dropout& site, const SequenceView& sequences);

/// Compact band (2 d + 1, k), entry (d + j - i, i) = M_ij, to the dense M (k, k).
Variable band_to_dense(Context&, const Variable& band);

}  // namespace basis
