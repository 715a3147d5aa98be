#include "tensor/cuda/kernels/attention.h"
#include "tensor/cuda/kernels/attention_first_rows.h"
#include "tensor/cuda/kernels/attention_long.h"
#include "tensor/cuda/kernels/attention_plain.h"
#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/kernels/attention_short.h"
#include "tensor/cuda/plain.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

std::size_t attention_workspace(const SequenceView&, const AttentionShape&, DType) {
  return 0;
}

void attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
               const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
               const StepState* state, MatrixView out, MatrixView log_sum_exp, Workspace) {
  const bool is_tuned = !is_plain("attention");
  if (is_tuned && fits_first_rows_attention({q, k, v, out}, sequences, shape)) {
    return first_rows_attention(stream, q, k, v, sequences, shape, dropout, state, out,
                                log_sum_exp);
  }
  if (!is_tuned || !fits_tuned_attention({q, k, v, out}, shape)) {
    return plain_attention(stream, q, k, v, sequences, shape, dropout, state, out, log_sum_exp);
  }
  const AttentionForward of{rows_of<BFloat16>(q),
                            rows_of<BFloat16>(k),
                            rows_of<BFloat16>(v),
                            sequences,
                            static_cast<float>(shape.scale),
                            dropout,
                            state,
                            rows_of<BFloat16>(out),
                            rows_of<float>(log_sum_exp)};
  if (fits_short_attention(sequences, shape)) return short_attention(stream, of, shape);
  long_attention(stream, of, shape);
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
  const bool is_tuned = !is_plain("attention");
  const std::initializer_list<ConstMatrixView> operands = {dout, q, k, v, out, dq, dk, dv};
  if (is_tuned && fits_first_rows_attention(operands, sequences, shape)) {
    return first_rows_attention_gradient(stream, dout, q, k, v, out, log_sum_exp, sequences, shape,
                                         dropout, state, dq, dk, dv);
  }
  auto* deltas = static_cast<float*>(workspace.data);
  if (!is_tuned || !fits_tuned_attention(operands, shape)) {
    return plain_attention_gradient(stream, dout, q, k, v, out, log_sum_exp, sequences, shape,
                                    dropout, state, dq, dk, dv, deltas);
  }
  const AttentionBackward of{rows_of<BFloat16>(dout),
                             rows_of<BFloat16>(q),
                             rows_of<BFloat16>(k),
                             rows_of<BFloat16>(v),
                             rows_of<BFloat16>(out),
                             rows_of<float>(log_sum_exp),
                             sequences,
                             static_cast<float>(shape.scale),
                             dropout,
                             state,
                             rows_of<BFloat16>(dq),
                             rows_of<BFloat16>(dk),
                             rows_of<BFloat16>(dv)};
  if (fits_short_attention(sequences, shape)) return short_attention_gradient(stream, of, shape);
  long_attention_gradient(stream, of, shape, deltas);
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
