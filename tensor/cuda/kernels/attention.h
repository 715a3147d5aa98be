#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

std::size_t attention_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                DType dtype);
void attention(Stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
               const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
               const StepState* state, MatrixView out, MatrixView log_sum_exp, Workspace);
std::size_t attention_gradient_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                         DType dtype);
void attention_gradient(Stream, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                        ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                        const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                        const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                        Workspace);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
