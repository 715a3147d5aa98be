#include "tensor/cuda/kernels/attention.h"
#include "tensor/cuda/kernels/attention_plain.h"
#include "tensor/cuda/kernels/attention_short.h"
#include "tensor/cuda/plain.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

std::size_t attention_workspace(const SequenceView&, const AttentionShape&, DType) {
  return 0;
}

void attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
               const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
               const StepState* state, MatrixView out, MatrixView log_sum_exp, Workspace) {
  const ConstMatrixView operands[] = {q, k, v, out};
  if (fits_short_attention(operands, sequences, shape) && !is_plain("attention")) {
    return short_attention(stream, q, k, v, sequences, shape, dropout, state, out, log_sum_exp);
  }
  plain_attention(stream, q, k, v, sequences, shape, dropout, state, out, log_sum_exp);
}

std::size_t attention_gradient_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                         DType) {
  return static_cast<std::size_t>(sequences.rows * shape.heads) * sizeof(float);
}

void attention_gradient(Stream stream, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                        ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                        const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                        const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                        Workspace workspace) {
  const ConstMatrixView operands[] = {dout, q, k, v, out, dq, dk, dv};
  if (fits_short_attention(operands, sequences, shape) && !is_plain("attention")) {
    return short_attention_gradient(stream, dout, q, k, v, out, log_sum_exp, sequences, shape,
                                    dropout, state, dq, dk, dv);
  }
  plain_attention_gradient(stream, dout, q, k, v, out, log_sum_exp, sequences, shape, dropout,
                           state, dq, dk, dv, static_cast<float*>(workspace.data));
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
