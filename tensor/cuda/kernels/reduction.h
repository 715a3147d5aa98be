#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns);
/// y may be absent: the sum of x alone.
void column_dot(Stream, double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                MatrixView out, Workspace);

/// Numbers of scratch that squared_norm takes.
constexpr std::int64_t squared_norm_parts = 512;
void squared_norm(Stream, ConstMatrixView x, double beta, MatrixView out, double* scratch);
void squared_norm_of_all(Stream, std::span<const ConstMatrixView> parts, MatrixView out,
                         double* scratch);
void inverse_row_norms(Stream, ConstMatrixView x, MatrixView out);
void update_clip(Stream, ConstMatrixView squared_sum, double clip_norm, StepState* state);

void mean_pool(Stream, ConstMatrixView x, const SequenceView& sequences, MatrixView out);
void mean_pool_gradient(Stream, ConstMatrixView dout, const SequenceView& sequences, MatrixView dx);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
