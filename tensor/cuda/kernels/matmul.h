#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Backend's matmul by a kernel of our own: the twin of the library's, and all that a host thread
/// has. f32 or bf16 operands, sums in f32 in the order of k, one rounding at the end. `bias`, (1,
/// n) f32 or absent, is added to each row.
void plain_matmul(Stream, double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                  bool transpose_b, double beta, MatrixView out, ConstMatrixView bias = {});

}  // namespace basis::cuda::BASIS_CUDA_SIDE
