#include "autograd/normalization.h"

#include <fmt/format.h>

#include "autograd/kept.h"
#include "autograd/layer_norm_record.h"

namespace basis {

namespace {

void check_layer_norm(const Variable& x, const Variable& residual, const Variable& gamma,
                      const Variable& beta) {
  const std::int64_t width = x.shape().column_count();
  for (const Variable* parameter : {&gamma, &beta}) {
    if (parameter->value.element_count() != width) {
      throw ShapeError(fmt::format("layer_norm: {}{} does not fit input {}",
                                   parameter->shape().to_string(), parameter->of_name(),
                                   x.shape().to_string()));
    }
  }
  if (!residual.is_absent() && residual.shape() != x.shape()) {
    throw ShapeError(fmt::format("layer_norm: residual {} beside input {}",
                                 residual.shape().to_string(), x.shape().to_string()));
  }
}

}  // namespace

LayerNormForward::LayerNormForward(const Context& context, const Shape& shape, const Variable& gain,
                                   const Variable& shift, bool is_recorded)
    : normalised(is_recorded ? context.allocate(shape) : Tensor()),
      rstd(context.allocate({1, shape.row_count()}, accumulation_dtype(context.dtype))),
      gamma(gain),
      beta(shift) {}

namespace {

/// Where the kernel's one dsum and dx go: straight into a slot that has not been written, into
/// scratch otherwise. dsum is the residual's gradient, x's is dsum under the same mask.
struct OperandGradients {
  Tensor dsum, dx;

  OperandGradients(const Context& c, const Shape& shape, DType dtype, bool has_dropout, Gradient* x,
                   Gradient* residual) {
    auto is_fresh = [](const Gradient* slot) { return slot != nullptr && !slot->is_written; };
    auto memory_of = [&](Gradient* slot) {
      if (slot->tensor.is_empty()) slot->tensor = c.allocate(shape, dtype);
      return slot->tensor;
    };
    const bool needs_dx = x != nullptr && (has_dropout || residual != nullptr);
    if (is_fresh(residual) || (residual == nullptr && !needs_dx && is_fresh(x))) {
      dsum = memory_of(residual != nullptr ? residual : x);
    } else if (x != nullptr || residual != nullptr) {
      dsum = c.allocate(shape, dtype);
    }
    if (!needs_dx) return;
    dx = is_fresh(x) && x != residual ? memory_of(x) : c.allocate(shape, dtype);
  }
};

void deliver(const Context& c, Gradient* slot, const Tensor& term) {
  if (slot == nullptr) return;
  if (slot->is_written) c.backend.add_scaled(1, term.view(), 1, slot->tensor.view());
  slot->is_written = true;
}

MatrixView view_or_absent(const Tensor& tensor) {
  return tensor.is_empty() ? MatrixView{} : tensor.view();
}

void layer_norm_gradients(const Context& c, const LayerNormForward& f, const Tensor& dy,
                          Gradient* x, Gradient* residual) {
  const DType statistics = accumulation_dtype(dy.dtype());
  MatrixView dgamma, dbeta;
  double beta_gamma = 0, beta_beta = 0;
  contribute_beta(c, f.gamma.gradient, f.gamma.shape(), statistics, [&](double b, MatrixView out) {
    beta_gamma = b;
    dgamma = out;
  });
  contribute_beta(c, f.beta.gradient, f.beta.shape(), statistics, [&](double b, MatrixView out) {
    beta_beta = b;
    dbeta = out;
  });
  const Shape& shape = dy.shape();
  const auto scratch = c.scratch(
      c.backend.layer_norm_gradient_workspace(shape.row_count(), shape.column_count(), dy.dtype()));
  const OperandGradients operands(c, shape, dy.dtype(), f.dropout.is_active(), x, residual);
  c.backend.residual_layer_norm_gradient(
      dy.view(), f.normalised.view(), f.rstd.view(), vector_as_row(f.gamma.value), f.dropout,
      f.sequences, c.state, view_or_absent(operands.dsum), view_or_absent(operands.dx), beta_gamma,
      dgamma, beta_beta, dbeta, scratch.workspace);
  deliver(c, residual, operands.dsum);
  deliver(c, x, operands.dx.is_empty() ? operands.dsum : operands.dx);
}

}  // namespace

void record_layer_norm(Context& context, Variable& y, const LayerNormForward& forward, Gradient* x,
                       Gradient* residual) {
  const auto output = std::make_shared<Remade>();
  y.gradient = context.tape->record([=](Context& c, const Tensor& dy) {
    layer_norm_gradients(c, forward, dy, x, residual);
    if (!output->is_awaited()) return;
    const MatrixView rows = forward.normalised.view();
    c.backend.scale_shift_columns(rows, vector_as_row(forward.gamma.value),
                                  vector_as_row(forward.beta.value), rows);
    output->serve(c, forward.normalised);
  });
  output->node = y.gradient->node;
  y.remade = output;
}

Variable residual_layer_norm(Context& context, const Variable& x, const Dropout& site,
                             const Variable& residual, const SequenceView& sequences,
                             const Variable& gamma, const Variable& beta, double epsilon) {
  check_layer_norm(x, residual, gamma, beta);
  const bool is_recorded = context.records(x, residual, gamma, beta);
  LayerNormForward forward(context, x.shape(), gamma, beta, is_recorded);
  forward.dropout = context.is_training ? site : Dropout{};
  forward.sequences = sequences;
  Variable y = constant(context.allocate(x.shape(), x.value.dtype()));
  context.backend.residual_layer_norm(
      x.view(), forward.dropout,
      residual.is_absent() ? ConstMatrixView{} : ConstMatrixView(residual.view()), sequences,
      context.state, vector_as_row(gamma.value), vector_as_row(beta.value), epsilon, y.view(),
      forward.normalised_view(), forward.rstd.view());
  if (is_recorded) record_layer_norm(context, y, forward, x.gradient, residual.gradient);
  return y;
}

Variable layer_norm(Context& context, const Variable& x, const Variable& gamma,
                    const Variable& beta, double epsilon) {
  return residual_layer_norm(context, x, {}, {}, {}, gamma, beta, epsilon);
}

}  // namespace basis
