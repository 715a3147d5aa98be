#include "autograd/attention.h"

#include <fmt/format.h>

namespace basis {

Variable attention(Context& context, const Variable& q, const Variable& k, const Variable& v,
                   const SequenceView& sequences, const AttentionShape& shape,
                   const Dropout& site) {
  if (q.shape() != k.shape() || q.shape() != v.shape() ||
      q.shape().column_count() != shape.heads * shape.head_size ||
      q.view().rows != sequences.rows) {
    throw ShapeError(
        fmt::format("attention: query {}, key {}, value {} with {} heads of {} over {} rows",
                    q.shape().to_string(), k.shape().to_string(), v.shape().to_string(),
                    shape.heads, shape.head_size, sequences.rows));
  }
  const Dropout dropout = context.is_training ? site : Dropout{};
  const bool is_recorded = context.records(q, k, v);
  const DType dtype = q.value.dtype();
  Variable y = constant(context.allocate(q.shape(), dtype));
  const Tensor log_sum_exp =
      is_recorded ? context.allocate({sequences.rows, shape.heads}, accumulation_dtype(dtype))
                  : Tensor();
  const auto scratch =
      context.scratch(context.backend.attention_workspace(sequences, shape, dtype));
  context.backend.attention(q.view(), k.view(), v.view(), sequences, shape, dropout, context.state,
                            y.view(), is_recorded ? log_sum_exp.view() : MatrixView{},
                            scratch.workspace);
  if (!is_recorded) return y;

  // Saved: q, k, v, the output (for the row sums of P * dP) and one number a row and head.
  y.gradient = context.tape->record([=, out = y.value](Context& c, const Tensor& dy) {
    const auto work = c.scratch(c.backend.attention_gradient_workspace(sequences, shape, dtype));
    const Tensor dq = c.allocate(q.shape(), dtype), dk = c.allocate(q.shape(), dtype),
                 dv = c.allocate(q.shape(), dtype);
    c.backend.attention_gradient(dy.view(), q.view(), k.view(), v.view(), out.view(),
                                 log_sum_exp.view(), sequences, shape, dropout, c.state, dq.view(),
                                 dk.view(), dv.view(), work.workspace);
    hand_over(c, q.gradient, dq);
    hand_over(c, k.gradient, dk);
    hand_over(c, v.gradient, dv);
  });
  return y;
}

}  // namespace basis
