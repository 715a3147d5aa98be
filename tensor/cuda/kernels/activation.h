#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void activation(Stream, Activation kind, ConstMatrixView x, ConstMatrixView bias, MatrixView out);
void activation_gradient(Stream, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx);
void activation_backward(Stream, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                         ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                         MatrixView dbias, Workspace);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
