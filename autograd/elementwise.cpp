#include "autograd/elementwise.h"

#include <fmt/format.h>

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

Variable scale_columns(Context& context, const Variable& x, const Variable& v) {
  if (v.value.element_count() != x.shape().column_count()) {
    throw ShapeError(fmt::format("scale_columns: {} factors{} for {}", v.value.element_count(),
                                 v.of_name(), x.shape().to_string()));
  }
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  const Tensor row = v.value.reshape({1, v.value.element_count()});
  context.backend.scale_columns(x.view(), row.view(), y.view());
  if (!context.records(x, v)) return y;

  const Tensor saved = v.wants_gradient() ? x.value : Tensor();
  const Shape x_shape = x.shape();
  y.gradient =
      context.tape->record([=, dx = x.gradient, dv = v.gradient](Context& c, const Tensor& dy) {
        // dv_j = sum_t x_tj dy_tj, dx = dy * v
        contribute_beta(c, dv, row.shape(), row.dtype(), [&](double beta, MatrixView out) {
          const MatrixView g = dy.view();
          const auto scratch =
              c.scratch(c.backend.column_sum_workspace(g.rows, g.columns, dy.dtype()));
          out = {out.data, out.dtype, 1, g.columns, g.columns};
          c.backend.column_dot(1, saved.view(), g, beta, out, scratch.workspace);
        });
        contribute(c, dx, x_shape, dy.dtype(),
                   [&](MatrixView out) { c.backend.scale_columns(dy.view(), row.view(), out); });
      });
  return y;
}

Variable activation(Context& context, Activation kind, const Variable& x) {
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.activation(kind, x.view(), y.view());
  if (!context.records(x)) return y;

  y.gradient = context.tape->record([kind, x](Context& c, const Tensor& dy) {
    contribute(c, x.gradient, x.shape(), dy.dtype(), [&](MatrixView out) {
      c.backend.activation_gradient(kind, x.view(), dy.view(), out);
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
