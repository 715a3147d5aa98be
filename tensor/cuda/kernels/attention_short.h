#pragma once

#include <span>

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Sequences of up to so many rows have a block each for every head.
constexpr std::int64_t most_short_rows = 128;

/// Whether the tuned kernels do it: bf16, all queries, heads of 32, 64 or 128, short sequences,
/// rows on 16 bytes.
bool fits_short_attention(std::span<const ConstMatrixView> operands, const SequenceView& sequences,
                          const AttentionShape& shape);

/// Backend's attention and attention_gradient where fits_short_attention says so. Probabilities,
/// and in backward their gradients, are rounded to bf16 before the second product.
void short_attention(Stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                     const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                     const StepState* state, MatrixView out, MatrixView log_sum_exp);
void short_attention_gradient(Stream, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                              ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                              const SequenceView& sequences, const AttentionShape& shape,
                              Dropout dropout, const StepState* state, MatrixView dq, MatrixView dk,
                              MatrixView dv);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
