#include "autograd/curvature.h"

#include <fmt/format.h>

#include "autograd/activation_record.h"

namespace basis {

namespace {

void check_channels(const char* what, const Variable& channels, const Variable& x) {
  if (channels.value.element_count() == x.shape().column_count()) return;
  throw ShapeError(fmt::format("curvature_activation: {} {}{} does not fit {}{}", what,
                               channels.shape().to_string(), channels.of_name(),
                               x.shape().to_string(), x.of_name()));
}

}  // namespace

Variable curvature_activation(Context& context, const Variable& x, const Variable& bias,
                              const Variable& beta, const Variable& c) {
  if (!bias.is_absent()) check_channels("bias", bias, x);
  check_channels("beta", beta, x);
  check_channels("c", c, x);
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.curvature(x.view(), row_of(bias.value), row_of(beta.value), row_of(c.value),
                            y.view());
  if (!context.records(x, bias, beta, c)) return y;

  // dx = dy f'(x + bias), dbias = its sum over rows; dbeta, dc = sums of dy df/dbeta, dy df/dc
  record_activation(
      context, y, x,
      [bias, beta, c](Context& later, Tensor value, Gradient* dx, Remade& output, Tensor dy) {
        const DType wide = accumulation_dtype(dy.dtype());
        const VectorGradient dbias = open_vector_gradient(later, bias, wide);
        const VectorGradient dbeta = open_vector_gradient(later, beta, wide);
        const VectorGradient dc = open_vector_gradient(later, c, wide);
        const auto scratch = later.scratch(later.backend.curvature_gradient_workspace(
            dy.shape().row_count(), dy.shape().column_count(), dy.dtype()));
        replay_activation(later, std::move(value), dx, output, std::move(dy),
                          [&](MatrixView from, MatrixView g, MatrixView to, MatrixView again) {
                            later.backend.curvature_gradient(
                                from, row_of(bias.value), row_of(beta.value), row_of(c.value), g,
                                to, again, dbias.beta, dbias.row, dbeta.beta, dbeta.row, dc.beta,
                                dc.row, scratch.workspace);
                          });
      });
  return y;
}

}  // namespace basis
