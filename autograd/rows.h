#pragma once

#include "autograd/context.h"
#include "tensor/row_segments.h"

namespace basis {

/// The sum of three embeddings for each token (arXiv 1810.04805, figure 2).
///   word: (V, H)   ids: (T) i32   position: (P, H)   positions: (T) i32   type: (Y, H)   types:
///   (T) returns (T, H) in the context's dtype
/// `segments`: the rows by their id, needed where `word` takes its gradient as rows; rows that it
/// leaves out have no gradient.
/// Throws ShapeError when the tables differ in width. Ids are checked where batches are made.
Variable embedding_sum(Context&, const Variable& word, const Tensor& ids,
                       const RowSegments& segments, const Variable& position,
                       const Tensor& positions, const Variable& type, const Tensor& types);

/// y_m = x[rows_m]: the `[CLS]` rows before a pooler, the masked rows before the language head.
///   x: (T, H)   rows: (M) i32   returns (M, H)
Variable gather_rows(Context&, const Variable& x, const Tensor& rows);

/// y_b = mean of the rows of sequence b.   x: (T, H)   returns (B, H)
Variable mean_pool(Context&, const Variable& x, const SequenceView& sequences);

}  // namespace basis
