#pragma once

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/stream.h"

// Tuned attention of sequences that fit in a block each for every head (up to 128 rows, 64 where
// heads are of 128): query, key and value in shared memory, the whole backward in one block.

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Of what attention_problem.h's fits_tuned_attention lets through.
bool fits_short_attention(const SequenceView& sequences, const AttentionShape& shape);

void short_attention(Stream, const Bf16Forward&, const AttentionShape&);
void short_attention_gradient(Stream, const Bf16Backward&, const AttentionShape&);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
