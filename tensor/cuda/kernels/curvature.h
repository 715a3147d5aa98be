#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void curvature(Stream, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
               ConstMatrixView c, MatrixView out);
std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns);
void curvature_gradient(Stream, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                        ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                        double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                        double beta_c, MatrixView dc, Workspace);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
