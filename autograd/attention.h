#pragma once

#include "autograd/context.h"

namespace basis {

/// Scaled dot-product attention within each packed sequence (arXiv 1706.03762, eq. 1):
/// dropout(softmax(scale q kᵀ)) v for each head, heads side by side in the columns.
///   q: (T, A D), or (B, A D) with `queries` = FirstRows: one for each sequence, its first row's
///   k, v: (T, A D)   returns q's shape
/// q, k and v may be columns of the same Variable. No score matrix is kept: probabilities and masks
/// are computed again in backward from the log-sum-exp of each row. Throws ShapeError when the
/// operands differ or A D is not their width.
Variable attention(Context&, const ColumnsOf& q, const ColumnsOf& k, const ColumnsOf& v,
                   const SequenceView& sequences, const AttentionShape& shape, const Dropout& site);

}  // namespace basis
