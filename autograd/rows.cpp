#include "autograd/rows.h"

namespace basis {

namespace {

ConstMatrixView as_ids(const Tensor& ids) {
  return ids.reshape({1, ids.element_count()}).view();
}

}  // namespace

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

Variable joined_rows(Context& context, const Variable& x, std::int64_t count, std::int64_t n) {
  const std::int64_t width = x.shape().column_count();
  Variable y = constant(x.value.rows(0, count * n).reshape({count, n * width}));
  if (!context.records(x)) return y;

  const Shape shape = x.shape();
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    contribute(c, dx, shape, dy.dtype(), [&](MatrixView out) {
      c.backend.fill(0, out);
      out.rows = count * n;
      c.backend.convert(dy.reshape({count * n, width}).view(), out);
    });
  });
  return y;
}

}  // namespace basis
