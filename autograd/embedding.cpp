#include "autograd/embedding.h"

#include <fmt/format.h>

#include "autograd/layer_norm_record.h"
#include "autograd/row_gradient.h"

namespace basis {

namespace {

ConstMatrixView as_ids(const Tensor& ids) {
  return ids.reshape({1, ids.element_count()}).view();
}

EmbeddingRows rows_of(const Embeddings& e) {
  return {e.word.view(),       as_ids(e.ids), e.word.debt,    e.position.view(),
          as_ids(e.positions), e.type.view(), as_ids(e.types)};
}

Shape check_embeddings(const Embeddings& e) {
  const std::int64_t width = e.word.shape().column_count();
  for (const Variable* table : {&e.position, &e.type}) {
    if (table->shape().column_count() == width) continue;
    throw ShapeError(fmt::format("embeddings: table {}{} beside {}{}", table->shape().to_string(),
                                 table->of_name(), e.word.shape().to_string(), e.word.of_name()));
  }
  return {e.ids.element_count(), width};
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

/// The sum's place on the tape: its gradient goes to the rows that were added.
Gradient* record_sum(Context& context, const Embeddings& e) {
  const bool takes_rows = e.word.wants_gradient() && e.word.gradient->rows != nullptr;
  if (takes_rows && e.segments.is_empty()) {
    throw Error(
        fmt::format("embeddings: the gradient{} is rows by id, and the batch does not say which "
                    "rows have which id; give it RowSegments of its ids",
                    e.word.of_name()));
  }
  return context.tape->record([=](Context& c, const Tensor& dy) {
    if (takes_rows) {
      sum_into_rows(c, *e.word.gradient, dy, e.segments);
    } else {
      scatter_into(c, e.word, dy, e.ids);
    }
    scatter_into(c, e.position, dy, e.positions);
    scatter_into(c, e.type, dy, e.types);
  });
}

}  // namespace

Variable embedding_sum(Context& context, const Embeddings& e) {
  Variable y = constant(context.allocate(check_embeddings(e)));
  context.backend.embedding_sum(rows_of(e), y.view());
  if (context.records(e.word, e.position, e.type)) y.gradient = record_sum(context, e);
  return y;
}

Variable embedding_layer_norm(Context& context, const Embeddings& e, const Variable& gamma,
                              const Variable& beta, double epsilon) {
  const Shape shape = check_embeddings(e);
  for (const Variable* vector : {&gamma, &beta}) {
    if (vector->value.element_count() == shape[1]) continue;
    throw ShapeError(fmt::format("embeddings: {}{} does not fit a layer norm over {}",
                                 vector->shape().to_string(), vector->of_name(),
                                 shape.to_string()));
  }
  const bool wants_tables = context.records(e.word, e.position, e.type);
  const bool is_recorded = wants_tables || context.records(gamma, beta);
  const LayerNormForward forward(context, shape, gamma, beta, is_recorded);
  Variable y = constant(context.allocate(shape));
  context.backend.embedding_layer_norm(rows_of(e), vector_as_row(gamma.value),
                                       vector_as_row(beta.value), epsilon, y.view(),
                                       forward.normalised_view(), forward.rstd.view());
  Gradient* sum = wants_tables ? record_sum(context, e) : nullptr;
  if (is_recorded) record_layer_norm(context, y, forward, sum, nullptr);
  return y;
}

}  // namespace basis
