#include "autograd/attention.h"

#include <fmt/format.h>

namespace basis {

namespace {

void check_attention(const ColumnsOf& q, const ColumnsOf& k, const ColumnsOf& v,
                     const SequenceView& sequences, const AttentionShape& shape) {
  const std::int64_t width = shape.heads * shape.head_size;
  const std::int64_t queries =
      shape.queries == AttentionShape::Queries::All ? sequences.rows : sequences.sequences;
  auto fits = [&](const ColumnsOf& x, std::int64_t rows) {
    return x.count == width && x.whole.view().rows == rows;
  };
  if (fits(q, queries) && fits(k, sequences.rows) && fits(v, sequences.rows)) return;
  auto text = [](const ColumnsOf& x) {
    return fmt::format("{} columns of {}", x.count, x.whole.shape().to_string());
  };
  throw ShapeError(fmt::format(
      "attention: query {}, key {}, value {} with {} heads of {} over {} "
      "rows and {} queries",
      text(q), text(k), text(v), shape.heads, shape.head_size, sequences.rows, queries));
}

/// The gradients of the Variables that q, k and v are columns of: one tensor for those that stand
/// side by side in one Variable, as the product that made them wants it.
struct OperandGradients {
  Tensor dq, dk, dv;

  OperandGradients(const Context& context, const ColumnsOf& q, const ColumnsOf& k,
                   const ColumnsOf& v, DType dtype) {
    auto stand_together = [](const ColumnsOf& a, const ColumnsOf& b) {
      return a.whole.gradient == b.whole.gradient && a.first + a.count == b.first;
    };
    const bool qk = stand_together(q, k), kv = stand_together(k, v);
    const std::int64_t behind_k = kv ? v.count : 0;
    const std::int64_t behind_q = qk ? k.count + behind_k : 0;
    auto allocate = [&](const ColumnsOf& x, std::int64_t behind) {
      Tensor gradient = context.allocate(x.whole.shape(), dtype);
      if (x.count + behind < gradient.view().columns) context.backend.fill(0, gradient.view());
      return gradient;
    };
    dq = allocate(q, behind_q);
    dk = qk ? dq : allocate(k, behind_k);
    dv = kv ? dk : allocate(v, 0);
  }
};

}  // namespace

Variable attention(Context& context, const ColumnsOf& q, const ColumnsOf& k, const ColumnsOf& v,
                   const SequenceView& sequences, const AttentionShape& shape,
                   const Dropout& site) {
  check_attention(q, k, v, sequences, shape);
  const Dropout dropout = context.is_training ? site : Dropout{};
  const bool is_recorded = context.records(q.whole, k.whole, v.whole);
  const DType dtype = q.whole.value.dtype();
  const std::int64_t queries = q.whole.view().rows;
  Variable y = constant(context.allocate({queries, q.count}, dtype));
  const Tensor log_sum_exp =
      is_recorded ? context.allocate({queries, shape.heads}, accumulation_dtype(dtype)) : Tensor();
  const auto scratch =
      context.scratch(context.backend.attention_workspace(sequences, shape, dtype));
  context.backend.attention(q.view(), k.view(), v.view(), sequences, shape, dropout, context.state,
                            y.view(), is_recorded ? log_sum_exp.view() : MatrixView{},
                            scratch.workspace);
  if (!is_recorded) return y;

  // Kept: q, k, v, the output (for the row sums of P * dP) and one number a row and head.
  y.gradient = context.tape->record([=, out = y.value](Context& c, const Tensor& dy) {
    const auto work = c.scratch(c.backend.attention_gradient_workspace(sequences, shape, dtype));
    const OperandGradients gradients(c, q, k, v, dtype);
    const auto& [dq, dk, dv] = gradients;
    c.backend.attention_gradient(dy.view(), q.view(), k.view(), v.view(), out.view(),
                                 log_sum_exp.view(), sequences, shape, dropout, c.state, q.of(dq),
                                 k.of(dk), v.of(dv), work.workspace);
    hand_over(c, q.whole.gradient, dq);
    if (dk.bytes_begin() != dq.bytes_begin()) hand_over(c, k.whole.gradient, dk);
    if (dv.bytes_begin() != dk.bytes_begin()) hand_over(c, v.whole.gradient, dv);
  });
  return y;
}

}  // namespace basis
