#include "autograd/linear.h"

#include <fmt/format.h>

namespace basis {

namespace {

void check_linear(const Variable& x, const Variable& weight, const Variable& bias) {
  if (weight.shape().rank() != 2 || x.shape().column_count() != weight.shape()[1]) {
    throw ShapeError(fmt::format("linear: input {} does not fit weight {}{}", x.shape().to_string(),
                                 weight.shape().to_string(), weight.of_name()));
  }
  if (!bias.is_absent() && bias.value.element_count() != weight.shape()[0]) {
    throw ShapeError(fmt::format("linear: bias {}{} does not fit weight {}{}",
                                 bias.shape().to_string(), bias.of_name(),
                                 weight.shape().to_string(), weight.of_name()));
  }
}

/// dW = gᵀ x and db = column sums of g, in one call where both are wanted.
void weight_gradient(const Context& context, const Tensor& g, const Tensor& x,
                     const Variable& weight, const Variable& bias) {
  MatrixView dweight, dbias;
  double beta_weight = 0, beta_bias = 0;
  auto open = [&](const Variable& parameter, MatrixView& out, double& beta) {
    contribute_beta(context, parameter.gradient, parameter.shape(), parameter.value.dtype(),
                    [&](double b, MatrixView view) {
                      beta = b;
                      out = view;
                    });
  };
  open(weight, dweight, beta_weight);
  open(bias, dbias, beta_bias);
  if (dweight.is_absent() && dbias.is_absent()) return;
  Backend& backend = context.backend;
  const auto scratch = context.scratch(backend.linear_weight_gradient_workspace(
      g.view().rows, g.view().columns, weight.shape()[1], g.dtype()));
  backend.linear_weight_gradient(g.view(), x.is_empty() ? ConstMatrixView{} : x.view(), beta_weight,
                                 dweight, beta_bias, dbias, scratch.workspace);
}

}  // namespace

Variable linear(Context& context, const Variable& x, const Variable& weight, const Variable& bias) {
  check_linear(x, weight, bias);
  const PreparedWeight prepared =
      weight.prepared != nullptr ? *weight.prepared
                                 : context.backend.prepare_weight(weight.view(), x.value.dtype());
  Variable y = constant(context.allocate({x.view().rows, weight.shape()[0]}, x.value.dtype()));
  context.backend.linear(x.view(), prepared,
                         bias.is_absent() ? ConstMatrixView{} : ConstMatrixView(bias.view()),
                         y.view());
  if (!context.records(x, weight, bias)) return y;

  // Saved: x only where the weight wants dW = dyᵀ x; the weight only where x wants dx = dy W.
  const Tensor saved = weight.wants_gradient() ? x.value : Tensor();
  const Shape x_shape = x.shape();
  y.gradient = context.tape->record([=, dx = x.gradient](Context& c, const Tensor& dy) {
    weight_gradient(c, dy, saved, weight, bias);
    contribute_beta(c, dx, x_shape, dy.dtype(), [&](double beta, MatrixView out) {
      c.backend.linear_input_gradient(dy.view(), prepared, beta, out);
    });
  });
  return y;
}

namespace {

void check_product(const Variable& a, const Variable& b, bool transpose_b) {
  const MatrixView left = a.view(), right = b.view();
  if (left.columns == (transpose_b ? right.columns : right.rows)) return;
  throw ShapeError(fmt::format("matmul: {}{} times {}{}{}", a.shape().to_string(), a.of_name(),
                               b.shape().to_string(), b.of_name(),
                               transpose_b ? " transposed" : ""));
}

/// The gradients of alpha · a op(b). Each operand is saved only where the other's gradient is
/// wanted.
class ProductGradient {
 public:
  ProductGradient(double alpha, const Variable& a, const Variable& b, bool transpose_b)
      : alpha_(alpha),
        transpose_b_(transpose_b),
        da_(a.gradient),
        db_(b.gradient),
        a_(b.wants_gradient() ? a.value : Tensor()),
        b_(a.wants_gradient() ? b.value : Tensor()),
        a_shape_(a.shape()),
        b_shape_(b.shape()) {}

  void operator()(const Context& c, const Tensor& dy) const {
    // da = alpha dy op(b)ᵀ
    contribute_beta(c, da_, a_shape_, dy.dtype(), [&](double beta, MatrixView out) {
      c.backend.matmul(alpha_, dy.view(), false, b_.view(), !transpose_b_, beta, out);
    });
    // db = alpha dyᵀ a, or alpha aᵀ dy
    const DType dtype = accumulation_dtype(dy.dtype());
    contribute_beta(c, db_, b_shape_, dtype, [&](double beta, MatrixView out) {
      const ConstMatrixView left = transpose_b_ ? dy.view() : a_.view();
      const ConstMatrixView right = transpose_b_ ? a_.view() : dy.view();
      c.backend.matmul(alpha_, left, true, right, false, beta, out);
    });
  }

 private:
  double alpha_;
  bool transpose_b_;
  Gradient* da_;
  Gradient* db_;
  Tensor a_, b_;
  Shape a_shape_, b_shape_;
};

}  // namespace

Variable matmul(Context& context, double alpha, const Variable& a, const Variable& b,
                bool transpose_b) {
  check_product(a, b, transpose_b);
  const std::int64_t columns = transpose_b ? b.view().rows : b.view().columns;
  Variable y = constant(context.allocate({a.view().rows, columns}, a.value.dtype()));
  context.backend.matmul(alpha, a.view(), false, b.view(), transpose_b, 0, y.view());
  if (!context.records(a, b)) return y;

  y.gradient = context.tape->record([product = ProductGradient(alpha, a, b, transpose_b)](
                                        Context& c, const Tensor& dy) { product(c, dy); });
  return y;
}

Variable add_matmul(Context& context, const Variable& y, double alpha, const Variable& a,
                    const Variable& b, bool transpose_b) {
  check_product(a, b, transpose_b);
  if (y.shape() != Shape{a.view().rows, transpose_b ? b.view().rows : b.view().columns}) {
    throw ShapeError(fmt::format("add_matmul: {} beside {}{} times {}{}{}", y.shape().to_string(),
                                 a.shape().to_string(), a.of_name(), b.shape().to_string(),
                                 b.of_name(), transpose_b ? " transposed" : ""));
  }
  context.backend.matmul(alpha, a.view(), false, b.view(), transpose_b, 1, y.view());
  if (!context.records(y, a, b)) return constant(y.value);

  Variable sum = constant(y.value);
  sum.gradient = context.tape->record([product = ProductGradient(alpha, a, b, transpose_b),
                                       dy_in = y.gradient](Context& c, const Tensor& dy) {
    product(c, dy);
    hand_over(c, dy_in, dy);
  });
  return sum;
}

}  // namespace basis
