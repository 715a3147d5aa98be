#pragma once

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/stream.h"

// Tuned attention of sequences of any length up to 512: a block for 64 queries, or 64 keys, of a
// sequence and head, which goes over the others by tiles that are copied ahead (Dao et al.,
// arXiv 2205.14135 and 2307.08691).

namespace basis::cuda::BASIS_CUDA_SIDE {

void long_attention(Stream, const Bf16Forward&, const AttentionShape&);
/// `deltas`: a number for each row and head.
void long_attention_gradient(Stream, const Bf16Backward&, const AttentionShape&, float* deltas);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
