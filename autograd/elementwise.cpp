#include "autograd/elementwise.h"

#include <fmt/format.h>

#include "autograd/activation_record.h"

namespace basis {

Variable add(Context& context, const Variable& a, double alpha, const Variable& b) {
  if (a.shape() != b.shape()) {
    throw ShapeError(fmt::format("add: {}{} and {}{}", a.shape().to_string(), a.of_name(),
                                 b.shape().to_string(), b.of_name()));
  }
  Variable y = constant(context.allocate(a.shape(), a.value.dtype()));
  context.backend.convert(a.view(), y.view());
  context.backend.add_scaled(alpha, b.view(), 1, y.view());
  if (!context.records(a, b)) return y;

  const Shape shape = a.shape();  // da = dy, db = alpha dy
  y.gradient =
      context.tape->record([=, da = a.gradient, db = b.gradient](Context& c, const Tensor& dy) {
        contribute_beta(c, db, shape, dy.dtype(), [&](double beta, MatrixView out) {
          c.backend.add_scaled(alpha, dy.view(), beta, out);
        });
        hand_over(c, da, dy);
      });
  return y;
}

Variable add_to_columns(Context& context, const ColumnsOf& y, double alpha, const Variable& b) {
  const MatrixView columns = y.view();
  if (columns.rows != b.view().rows || columns.columns != b.view().columns) {
    throw ShapeError(fmt::format("add_to_columns: ({}, {}) and {}{}", columns.rows, columns.columns,
                                 b.shape().to_string(), b.of_name()));
  }
  context.backend.add_scaled(alpha, b.view(), 1, columns);
  Variable sum = constant(y.whole.value);
  if (!context.records(y.whole, b)) return sum;

  // dy = dsum, db = alpha dsum
  sum.gradient = context.tape->record([=, dy = y.whole.gradient, db = b.gradient, first = y.first,
                                       end = y.first + y.count,
                                       shape = b.shape()](Context& c, const Tensor& dsum) {
    contribute_beta(c, db, shape, dsum.dtype(), [&](double beta, MatrixView out) {
      c.backend.add_scaled(alpha, dsum.columns(first, end), beta, out);
    });
    hand_over(c, dy, dsum);
  });
  return sum;
}

Variable scale(Context& context, double alpha, const Variable& x) {
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.add_scaled(alpha, x.view(), 0, y.view());
  if (!context.records(x)) return y;

  const Shape shape = x.shape();
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    contribute_beta(c, dx, shape, dy.dtype(), [&](double beta, MatrixView out) {
      c.backend.add_scaled(alpha, dy.view(), beta, out);
    });
  });
  return y;
}

Variable cast(Context& context, const Variable& x, DType dtype) {
  if (x.value.dtype() == dtype) return x;
  Variable y = constant(context.allocate(x.shape(), dtype));
  context.backend.convert(x.view(), y.view());
  if (!context.records(x)) return y;

  y.gradient = context.tape->record(
      [shape = x.shape(), from = x.value.dtype(), dx = x.gradient](Context& c, const Tensor& dy) {
        contribute(c, dx, shape, from,
                   [&](MatrixView out) { c.backend.convert(dy.view(), out); });  // dx = dy
      });
  return y;
}

namespace {

/// dv_j = sum_t x_tj dy_tj.
void scale_gradient(Context& c, Gradient* dv, const Shape& shape, DType dtype, ConstMatrixView x,
                    ConstMatrixView dy) {
  contribute_beta(c, dv, shape, dtype, [&](double beta, MatrixView out) {
    const auto scratch = c.scratch(c.backend.column_sum_workspace(dy.rows, dy.columns, dy.dtype));
    out = {out.data, out.dtype, 1, dy.columns, dy.columns};
    c.backend.column_dot(1, x, dy, beta, out, scratch.workspace);
  });
}

}  // namespace

Variable scale_columns(Context& context, const Variable& x, const Variable& v) {
  if (v.value.element_count() != x.shape().column_count()) {
    throw ShapeError(fmt::format("scale_columns: {} factors{} for {}", v.value.element_count(),
                                 v.of_name(), x.shape().to_string()));
  }
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  const Tensor row = v.value.reshape({1, v.value.element_count()});
  context.backend.scale_columns(x.view(), row.view(), y.view());
  if (!context.records(x, v)) return y;

  const Kept kept(x, v.gradient);
  const Shape x_shape = x.shape();
  y.gradient =
      context.tape->record([=, dx = x.gradient, dv = v.gradient](Context& c, const Tensor& dy) {
        kept.with(c, [dv, dy, shape = row.shape(), dtype = row.dtype()](Context& later,
                                                                        const Tensor& value) {
          scale_gradient(later, dv, shape, dtype, value.view(), dy.view());
        });
        // dx = dy * v
        contribute(c, dx, x_shape, dy.dtype(),
                   [&](MatrixView out) { c.backend.scale_columns(dy.view(), row.view(), out); });
      });
  return y;
}

namespace {

void check_columns(const ColumnsOf& y, const Variable& v, const Variable& shift) {
  for (const Variable* vector : {&v, &shift}) {
    if (vector->is_absent() || vector->value.element_count() == y.count) continue;
    throw ShapeError(fmt::format("scale_columns_of: {}{} does not fit {} columns",
                                 vector->shape().to_string(), vector->of_name(), y.count));
  }
  ensure(!shift.wants_gradient(), "a shift beside a scale is frozen");
}

}  // namespace

Variable scale_columns_of(Context& context, const ColumnsOf& y, const Variable& v,
                          const Variable& shift) {
  check_columns(y, v, shift);
  const MatrixView columns = y.view();
  Tensor x;  // the columns as they were
  if (context.records(v)) {
    x = context.allocate({columns.rows, columns.columns}, columns.dtype);
    context.backend.convert(columns, x.view());
  }
  if (shift.is_absent()) {
    context.backend.scale_columns(columns, row_of(v.value), columns);
  } else {
    context.backend.scale_shift_columns(columns, row_of(v.value), row_of(shift.value), columns);
  }
  Variable scaled = constant(y.whole.value);
  if (!context.records(y.whole, v)) return scaled;

  scaled.gradient = context.tape->record([x, v, dx = y.whole.gradient, first = y.first,
                                          end = y.first + y.count](Context& c, Tensor& dy) {
    if (!x.is_empty()) {
      scale_gradient(c, v.gradient, v.shape(), v.value.dtype(), x.view(), dy.columns(first, end));
    }
    if (dx == nullptr) return;
    if (!dy.is_sole_owner()) {
      const Tensor copy = c.allocate(dy.shape(), dy.dtype());
      c.backend.convert(dy.view(), copy.view());
      dy = copy;
    }
    c.backend.scale_columns(dy.columns(first, end), row_of(v.value), dy.columns(first, end));
    hand_over(c, dx, dy);
  });
  return scaled;
}

Variable over_row_norms(Context& context, const Variable& v, const Tensor& w) {
  const std::int64_t rows = w.shape()[0];
  if (v.value.element_count() != rows) {
    throw ShapeError(fmt::format("over_row_norms: {}{} does not fit the rows of {}",
                                 v.shape().to_string(), v.of_name(), w.shape().to_string()));
  }
  const Tensor inverse = context.allocate({1, rows}, w.dtype());
  context.backend.inverse_row_norms(w.view(), inverse.view());
  return scale_columns(context, constant(inverse), v);
}

Variable activation(Context& context, Activation kind, const Variable& x, const Variable& bias) {
  if (!bias.is_absent() && bias.value.element_count() != x.shape().column_count()) {
    throw ShapeError(fmt::format("activation: bias {}{} does not fit {}", bias.shape().to_string(),
                                 bias.of_name(), x.shape().to_string()));
  }
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.activation(kind, x.view(), row_of(bias.value), y.view());
  if (!context.records(x, bias)) return y;

  // dx = dy f'(x + bias), dbias = its sum over rows
  record_activation(
      context, y, x,
      [kind, bias](Context& c, Tensor value, Gradient* dx, Remade& output, Tensor dy) {
        const VectorGradient dbias = open_vector_gradient(c, bias, accumulation_dtype(dy.dtype()));
        const auto scratch = c.scratch(c.backend.column_sum_workspace(
            dy.shape().row_count(), dy.shape().column_count(), dy.dtype()));
        replay_activation(c, std::move(value), dx, output, std::move(dy),
                          [&](MatrixView from, MatrixView g, MatrixView to, MatrixView again) {
                            c.backend.activation_backward(kind, from, row_of(bias.value), g, to,
                                                          again, dbias.beta, dbias.row,
                                                          scratch.workspace);
                          });
      });
  return y;
}

Variable dropout(Context& context, const Variable& x, const Dropout& site,
                 const SequenceView& sequences) {
  if (!context.is_training || !site.is_active()) return x;
  ensure(x.view().rows == sequences.rows, "dropout has a sequence for every row");
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.dropout(x.view(), site, sequences, context.state, y.view());
  if (!context.records(x)) return y;

  const Shape shape = x.shape();  // the mask is drawn again, not kept
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    contribute(c, dx, shape, dy.dtype(), [&](MatrixView out) {
      c.backend.dropout(dy.view(), site, sequences, c.state, out);
    });
  });
  return y;
}

Variable band_to_dense(Context& context, const Variable& band) {
  const Shape shape = band.shape();
  if (shape.rank() != 2 || shape[0] % 2 == 0) {
    throw ShapeError("band_to_dense: " + shape.to_string() + " is not (2 d + 1, k)");
  }
  Variable dense = constant(context.allocate({shape[1], shape[1]}, band.value.dtype()));
  context.backend.band_to_dense(band.view(), dense.view());
  if (!context.records(band)) return dense;

  dense.gradient = context.tape->record([=, dband = band.gradient](Context& c, const Tensor& dy) {
    contribute_beta(c, dband, shape, dy.dtype(), [&](double beta, MatrixView out) {
      c.backend.dense_to_band(dy.view(), beta, out);
    });
  });
  return dense;
}

}  // namespace basis
