#include "tensor/cuda/kernels/attention.h"
#include "tensor/cuda/kernels/attention_f32.h"
#include "tensor/cuda/kernels/attention_first_rows.h"
#include "tensor/cuda/kernels/attention_long.h"
#include "tensor/cuda/kernels/attention_plain.h"
#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/kernels/attention_short.h"
#include "tensor/cuda/kernels/with_type.h"
#include "tensor/cuda/plain.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

template <class T>
AttentionForward<T> forward_of(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                               const SequenceView& sequences, const AttentionShape& shape,
                               Dropout dropout, const StepState* state, MatrixView out,
                               MatrixView log_sum_exp) {
  return {rows_of<T>(q),
          rows_of<T>(k),
          rows_of<T>(v),
          sequences,
          static_cast<float>(shape.scale),
          dropout,
          state,
          rows_of<T>(out),
          rows_of<float>(log_sum_exp)};
}

template <class T>
AttentionBackward<T> backward_of(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                                 ConstMatrixView v, ConstMatrixView out,
                                 ConstMatrixView log_sum_exp, const SequenceView& sequences,
                                 const AttentionShape& shape, Dropout dropout,
                                 const StepState* state, MatrixView dq, MatrixView dk,
                                 MatrixView dv) {
  return {rows_of<T>(dout), rows_of<T>(q),
          rows_of<T>(k),    rows_of<T>(v),
          rows_of<T>(out),  rows_of<float>(log_sum_exp),
          sequences,        static_cast<float>(shape.scale),
          dropout,          state,
          rows_of<T>(dq),   rows_of<T>(dk),
          rows_of<T>(dv)};
}

void tuned_attention(Stream stream, const AttentionForward<float>& of,
                     const AttentionShape& shape) {
  f32_attention(stream, of, shape);
}
void tuned_attention(Stream stream, const Bf16Forward& of, const AttentionShape& shape) {
  if (fits_short_attention(of.sequences, shape)) return short_attention(stream, of, shape);
  long_attention(stream, of, shape);
}
void tuned_gradient(Stream stream, const AttentionBackward<float>& of, const AttentionShape& shape,
                    float* deltas) {
  f32_attention_gradient(stream, of, shape, deltas);
}
void tuned_gradient(Stream stream, const Bf16Backward& of, const AttentionShape& shape,
                    float* deltas) {
  if (fits_short_attention(of.sequences, shape)) return short_attention_gradient(stream, of, shape);
  long_attention_gradient(stream, of, shape, deltas);
}

}  // namespace

std::size_t attention_workspace(const SequenceView&, const AttentionShape&, DType) {
  return 0;
}

void attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
               const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
               const StepState* state, MatrixView out, MatrixView log_sum_exp, Workspace) {
  const std::initializer_list<ConstMatrixView> operands = {q, k, v, out};
  const bool fits_first_rows = fits_first_rows_attention(operands, sequences, shape);
  if (is_plain("attention") || !(fits_first_rows || fits_tuned_attention(operands, shape))) {
    return plain_attention(stream, q, k, v, sequences, shape, dropout, state, out, log_sum_exp);
  }
  with_type(q.dtype, "attention", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto of = forward_of<T>(q, k, v, sequences, shape, dropout, state, out, log_sum_exp);
    if (fits_first_rows) return first_rows_attention(stream, of, shape);
    tuned_attention(stream, of, shape);
  });
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
  const std::initializer_list<ConstMatrixView> operands = {dout, q, k, v, out, dq, dk, dv};
  const bool fits_first_rows = fits_first_rows_attention(operands, sequences, shape);
  auto* deltas = static_cast<float*>(workspace.data);
  if (is_plain("attention") || !(fits_first_rows || fits_tuned_attention(operands, shape))) {
    return plain_attention_gradient(stream, dout, q, k, v, out, log_sum_exp, sequences, shape,
                                    dropout, state, dq, dk, dv, deltas);
  }
  with_type(q.dtype, "attention_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    const auto of = backward_of<T>(dout, q, k, v, out, log_sum_exp, sequences, shape, dropout,
                                   state, dq, dk, dv);
    if (fits_first_rows) return first_rows_attention_gradient(stream, of, shape);
    tuned_gradient(stream, of, shape, deltas);
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
