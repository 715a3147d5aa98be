#pragma once

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/stream.h"

// Tuned attention in f32, sequences of any length up to 512: as attention_long.h, by
// multiplications in f32 in place of tensor cores.

namespace basis::cuda::BASIS_CUDA_SIDE {

void f32_attention(Stream, const AttentionForward<float>&, const AttentionShape&);
/// `deltas`: a number for each row and head.
void f32_attention_gradient(Stream, const AttentionBackward<float>&, const AttentionShape&,
                            float* deltas);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
