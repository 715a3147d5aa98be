#pragma once

#include "autograd/context.h"

namespace basis {

/// Scaled dot-product attention within each packed sequence (arXiv 1706.03762, eq. 1):
/// dropout(softmax(scale q kᵀ)) v for each head, heads side by side in the columns.
///   q, k, v: (T, A D)   returns (T, A D)
/// No score matrix is kept: probabilities and masks are computed again in backward from the
/// log-sum-exp of each row. Throws ShapeError when the operands differ or A D is not their width.
Variable attention(Context&, const Variable& q, const Variable& k, const Variable& v,
                   const SequenceView& sequences, const AttentionShape& shape, const Dropout& site);

}  // namespace basis
