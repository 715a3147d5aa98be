#include "autograd/losses.h"

#include <fmt/format.h>

namespace basis {

namespace {

/// Finishes a loss whose kernel has left d(sum)/dx in `gradient`.
void record_loss(Context& context, Variable& loss, const Variable& x, const Tensor& gradient,
                 double scale) {
  const Shape shape = x.shape();
  loss.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dloss) {
    ensure(dloss.is_empty(), "a loss is where backward starts");
    contribute_beta(c, dx, shape, gradient.dtype(), [&](double beta, MatrixView out) {
      c.backend.add_scaled(scale, gradient.view(), beta, out);
    });
  });
}

}  // namespace

Variable cross_entropy(Context& context, const Variable& logits, const Tensor& labels,
                       double scale) {
  const std::int64_t rows = logits.view().rows;
  if (labels.element_count() != rows) {
    throw ShapeError(fmt::format("cross_entropy: {} labels for logits {}", labels.element_count(),
                                 logits.shape().to_string()));
  }
  Variable loss = constant(context.allocate({1, 1}, DType::F64));
  const bool is_recorded = context.records(logits);
  const Tensor gradient =
      is_recorded ? context.allocate(logits.shape(), logits.value.dtype()) : Tensor();
  const auto scratch = context.scratch(static_cast<std::size_t>(rows) * sizeof(double));
  context.backend.cross_entropy(logits.view(), labels.reshape({1, rows}).view(), loss.view(),
                                is_recorded ? gradient.view() : MatrixView{}, scratch.workspace);
  if (is_recorded) record_loss(context, loss, logits, gradient, scale);
  return loss;
}

Variable squared_error(Context& context, const Variable& prediction, const Tensor& target,
                       double scale) {
  if (target.element_count() != prediction.value.element_count()) {
    throw ShapeError(fmt::format("squared_error: prediction {} and target {}",
                                 prediction.shape().to_string(), target.shape().to_string()));
  }
  Variable loss = constant(context.allocate({1, 1}, DType::F64));
  const bool is_recorded = context.records(prediction);
  const Tensor gradient =
      is_recorded ? context.allocate(prediction.shape(), prediction.value.dtype()) : Tensor();
  context.backend.squared_error(prediction.view(), target.reshape(prediction.shape()).view(),
                                loss.view(), is_recorded ? gradient.view() : MatrixView{});
  if (is_recorded) record_loss(context, loss, prediction, gradient, scale);
  return loss;
}

}  // namespace basis
