#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void add_normalised(Stream, double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                    ConstMatrixView rows, MatrixView out);
void add_noise(Stream, double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
               const StepState* state, MatrixView out);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
