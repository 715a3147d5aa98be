#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Backend's attention and attention_gradient for every dtype, head size and alignment: a query or
/// a key a warp. The twin of the tuned kernels.
void plain_attention(Stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                     const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                     const StepState* state, MatrixView out, MatrixView log_sum_exp);
/// `deltas`: a number for each query and head.
void plain_attention_gradient(Stream, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                              ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                              const SequenceView& sequences, const AttentionShape& shape,
                              Dropout dropout, const StepState* state, MatrixView dq, MatrixView dk,
                              MatrixView dv, float* deltas);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
