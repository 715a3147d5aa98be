#include "autograd/normalization.h"

#include <fmt/format.h>

#include "autograd/kept.h"

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

MatrixView as_row(const Tensor& vector) {
  return vector.reshape({1, vector.element_count()}).view();
}

}  // namespace

Variable residual_layer_norm(Context& context, const Variable& x, const Dropout& site,
                             const Variable& residual, const SequenceView& sequences,
                             const Variable& gamma, const Variable& beta, double epsilon) {
  check_layer_norm(x, residual, gamma, beta);
  const Dropout dropout = context.is_training ? site : Dropout{};
  const bool is_recorded = context.records(x, residual, gamma, beta);
  const Shape shape = x.shape();
  const DType statistics = accumulation_dtype(x.value.dtype());
  Variable y = constant(context.allocate(shape, x.value.dtype()));
  const Tensor normalised = is_recorded ? context.allocate(shape, x.value.dtype()) : Tensor();
  const Tensor rstd = context.allocate({1, x.view().rows}, statistics);
  context.backend.residual_layer_norm(
      x.view(), dropout,
      residual.is_absent() ? ConstMatrixView{} : ConstMatrixView(residual.view()), sequences,
      context.state, as_row(gamma.value), as_row(beta.value), epsilon, y.view(),
      is_recorded ? normalised.view() : MatrixView{}, rstd.view());
  if (!is_recorded) return y;

  // Kept: the normalised rows, of which backward makes y again where a product needs it, and
  // 1 / sigma.
  const auto output = std::make_shared<Remade>();
  y.gradient = context.tape->record([=, x = x.gradient, residual = residual.gradient](
                                        Context& c, const Tensor& dy) {
    MatrixView dgamma, dbeta;
    double beta_gamma = 0, beta_beta = 0;
    contribute_beta(c, gamma.gradient, gamma.shape(), statistics, [&](double b, MatrixView out) {
      beta_gamma = b;
      dgamma = out;
    });
    contribute_beta(c, beta.gradient, beta.shape(), statistics, [&](double b, MatrixView out) {
      beta_beta = b;
      dbeta = out;
    });
    const auto scratch = c.scratch(c.backend.layer_norm_gradient_workspace(
        shape.row_count(), shape.column_count(), dy.dtype()));

    // dsum is the residual's gradient; x's is dsum under the same mask. The kernel runs once: its
    // dsum goes straight into a slot that has not been written, into scratch otherwise.
    auto is_fresh = [](const Gradient* slot) { return slot != nullptr && !slot->is_written; };
    const bool needs_dx = x != nullptr && (dropout.is_active() || residual != nullptr);
    Tensor dsum, dx;
    if (is_fresh(residual) || (residual == nullptr && !needs_dx && is_fresh(x))) {
      Gradient* slot = residual != nullptr ? residual : x;
      if (slot->tensor.is_empty()) slot->tensor = c.allocate(shape, dy.dtype());
      dsum = slot->tensor;
    } else if (x != nullptr || residual != nullptr) {
      dsum = c.allocate(shape, dy.dtype());
    }
    if (needs_dx) {
      if (is_fresh(x) && x != residual) {
        if (x->tensor.is_empty()) x->tensor = c.allocate(shape, dy.dtype());
        dx = x->tensor;
      } else {
        dx = c.allocate(shape, dy.dtype());
      }
    }
    c.backend.residual_layer_norm_gradient(
        dy.view(), normalised.view(), rstd.view(), as_row(gamma.value), dropout, sequences, c.state,
        dsum.is_empty() ? MatrixView{} : dsum.view(), dx.is_empty() ? MatrixView{} : dx.view(),
        beta_gamma, dgamma, beta_beta, dbeta, scratch.workspace);
    auto deliver = [&](Gradient* slot, const Tensor& term) {
      if (slot == nullptr) return;
      if (slot->is_written) c.backend.add_scaled(1, term.view(), 1, slot->tensor.view());
      slot->is_written = true;
    };
    deliver(residual, dsum);
    deliver(x, needs_dx ? dx : dsum);
    if (output->is_awaited()) {
      c.backend.scale_shift_columns(normalised.view(), as_row(gamma.value), as_row(beta.value),
                                    normalised.view());
      output->serve(c, normalised);
    }
  });
  output->node = y.gradient->node;
  y.remade = output;
  return y;
}

Variable layer_norm(Context& context, const Variable& x, const Variable& gamma,
                    const Variable& beta, double epsilon) {
  return residual_layer_norm(context, x, {}, {}, {}, gamma, beta, epsilon);
}

}  // namespace basis
