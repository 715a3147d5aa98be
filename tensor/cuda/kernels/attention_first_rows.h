#pragma once

#include <initializer_list>

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/stream.h"

// Tuned attention of one query a sequence, what the last layer of a classifier needs: a block for
// each sequence and head. It is bound by the memory of k and v, which forward reads once.

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Heads of up to 128 in eights, sequences of up to 512, rows on 16 bytes.
bool fits_first_rows_attention(std::initializer_list<ConstMatrixView> operands,
                               const SequenceView& sequences, const AttentionShape& shape);

/// Backend's attention and attention_gradient where fits_first_rows_attention says so. T: float,
/// BFloat16.
template <class T>
void first_rows_attention(Stream, const AttentionForward<T>&, const AttentionShape&);
template <class T>
void first_rows_attention_gradient(Stream, const AttentionBackward<T>&, const AttentionShape&);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
