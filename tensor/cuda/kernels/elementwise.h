#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void fill(Stream, double value, MatrixView out);
void convert(Stream, ConstMatrixView x, MatrixView out);
void add_scaled(Stream, double alpha, ConstMatrixView x, double beta, MatrixView out);
void scale_columns(Stream, ConstMatrixView x, ConstMatrixView v, MatrixView out);
void scale_shift_columns(Stream, ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                         MatrixView out);
void dropout(Stream, ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
             const StepState* state, MatrixView out);
void band_to_dense(Stream, ConstMatrixView band, MatrixView dense);
void dense_to_band(Stream, ConstMatrixView dense, double beta, MatrixView band);

/// out += bias in each row; bias: (1, n) f32.
void add_bias(Stream, ConstMatrixView bias, MatrixView out);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
