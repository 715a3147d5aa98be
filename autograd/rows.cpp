#include "autograd/rows.h"

#include <fmt/format.h>

#include "autograd/row_gradient.h"

namespace basis {

namespace {

ConstMatrixView as_ids(const Tensor& ids) {
  return ids.reshape({1, ids.element_count()}).view();
}

/// table[ids_t] += x_t. A slot's first write starts from zero.
void scatter_into(const Context& context, const Variable& table, const Tensor& x,
                  const Tensor& ids) {
  contribute_beta(context, table.gradient, table.shape(), table.value.dtype(),
                  [&](double beta, MatrixView out) {
                    if (beta == 0) context.backend.fill(0, out);
                    context.backend.scatter_add_rows(x.view(), as_ids(ids), out);
                  });
}

/// The same where the table takes rows: each id's rows summed, no other row touched.
void sum_into_rows(const Context& context, Gradient& gradient, const Tensor& x,
                   const RowSegments& segments) {
  if (!gradient.is_written) gradient.rows->clear();
  gradient.rows->add(context, x, segments);
  gradient.is_written = true;
}

}  // namespace

Variable embedding_sum(Context& context, const Variable& word, const Tensor& ids,
                       const RowSegments& segments, const Variable& position,
                       const Tensor& positions, const Variable& type, const Tensor& types) {
  const std::int64_t width = word.shape().column_count();
  for (const Variable* table : {&position, &type}) {
    if (table->shape().column_count() != width) {
      throw ShapeError(fmt::format("embedding_sum: table {}{} beside {}{}",
                                   table->shape().to_string(), table->of_name(),
                                   word.shape().to_string(), word.of_name()));
    }
  }
  Variable y = constant(context.allocate({ids.element_count(), width}));
  context.backend.embedding_sum(word.view(), word.debt, as_ids(ids), position.view(),
                                as_ids(positions), type.view(), as_ids(types), y.view());
  if (!context.records(word, position, type)) return y;

  const bool takes_rows = word.wants_gradient() && word.gradient->rows != nullptr;
  if (takes_rows && segments.is_empty()) {
    throw Error(
        fmt::format("embedding_sum: the gradient{} is rows by id, and the batch does not say "
                    "which rows have which id; give it RowSegments of its ids",
                    word.of_name()));
  }
  y.gradient = context.tape->record([=](Context& c, const Tensor& dy) {
    if (takes_rows) {
      sum_into_rows(c, *word.gradient, dy, segments);
    } else {
      scatter_into(c, word, dy, ids);
    }
    scatter_into(c, position, dy, positions);
    scatter_into(c, type, dy, types);
  });
  return y;
}

Variable gather_rows(Context& context, const Variable& x, const Tensor& rows) {
  Variable y =
      constant(context.allocate({rows.element_count(), x.shape().column_count()}, x.value.dtype()));
  context.backend.gather_rows(x.view(), x.debt, as_ids(rows), 0, y.view());
  if (!context.records(x)) return y;

  const Shape shape = x.shape();
  const DType dtype = x.value.dtype();
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    contribute_beta(c, dx, shape, dtype, [&](double beta, MatrixView out) {
      if (beta == 0) c.backend.fill(0, out);
      c.backend.scatter_add_rows(dy.view(), as_ids(rows), out);
    });
  });
  return y;
}

Variable mean_pool(Context& context, const Variable& x, const SequenceView& sequences) {
  ensure(x.view().rows == sequences.rows, "mean_pool has a sequence for every row");
  Variable y =
      constant(context.allocate({sequences.sequences, x.shape().column_count()}, x.value.dtype()));
  context.backend.mean_pool(x.view(), sequences, y.view());
  if (!context.records(x)) return y;

  const Shape shape = x.shape();
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    contribute(c, dx, shape, dy.dtype(),
               [&](MatrixView out) { c.backend.mean_pool_gradient(dy.view(), sequences, out); });
  });
  return y;
}

}  // namespace basis
