#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void cross_entropy(Stream, ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                   MatrixView dlogits, Workspace);
void squared_error(Stream, ConstMatrixView x, ConstMatrixView y, MatrixView loss, MatrixView dx);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
