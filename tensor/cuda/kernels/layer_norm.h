#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void residual_layer_norm(Stream, ConstMatrixView x, Dropout dropout, ConstMatrixView residual,
                         const SequenceView& sequences, const StepState* state,
                         ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                         MatrixView out, MatrixView normalised, MatrixView rstd);
void embedding_layer_norm(Stream, const EmbeddingRows& rows, ConstMatrixView gamma,
                          ConstMatrixView beta, double epsilon, MatrixView out,
                          MatrixView normalised, MatrixView rstd);
std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns);
void residual_layer_norm_gradient(Stream, ConstMatrixView dout, ConstMatrixView normalised,
                                  ConstMatrixView rstd, ConstMatrixView gamma, Dropout dropout,
                                  const SequenceView& sequences, const StepState* state,
                                  MatrixView dsum, MatrixView dx, double beta_gamma,
                                  MatrixView dgamma, double beta_beta, MatrixView dbeta, Workspace);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
