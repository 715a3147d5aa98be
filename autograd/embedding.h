#pragma once

#include "autograd/context.h"
#include "tensor/row_segments.h"

namespace basis {

/// The tables of a text encoder's first layer and the row of each for every token (arXiv
/// 1810.04805, figure 2).
///   word: (V, H)   position: (P, H)   type: (Y, H)   ids, positions, types: (T) i32
/// `segments`: the tokens by their id, needed where `word` takes its gradient as rows; tokens that
/// it leaves out have no gradient.
struct Embeddings {
  Variable word;
  Tensor ids;
  RowSegments segments;
  Variable position;
  Tensor positions;
  Variable type;
  Tensor types;
};

/// word[ids] + position[positions] + type[types].   returns (T, H) in the context's dtype
/// Throws ShapeError when the tables differ in width. Ids are checked where batches are made.
Variable embedding_sum(Context&, const Embeddings&);

/// The layer norm of that sum (autograd/normalization.h) in one pass.   gamma, beta: (H)
Variable embedding_layer_norm(Context&, const Embeddings&, const Variable& gamma,
                              const Variable& beta, double epsilon);

}  // namespace basis
