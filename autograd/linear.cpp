#include "autograd/linear.h"

#include <vector>

#include <fmt/format.h>

#include "autograd/kept.h"

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

/// Whether `next` begins where `view` ends, so that both are one of more rows; two that are absent
/// are one that is.
bool continues(ConstMatrixView view, ConstMatrixView next) {
  if (view.is_absent() || next.is_absent()) return view.is_absent() && next.is_absent();
  const auto* end = static_cast<const std::byte*>(view.data) +
                    static_cast<std::size_t>(view.rows * view.row_stride) * size_of(view.dtype);
  return next.data == end && next.columns == view.columns && next.row_stride == view.row_stride;
}

ConstMatrixView row_of(const Variable& vector) {
  if (vector.is_absent()) return {};
  return vector.value.reshape({1, vector.value.element_count()}).view();
}
/// A column of gradients, which neighbours make longer, as the row that the kernel writes.
MatrixView as_row(MatrixView column) {
  if (column.is_absent()) return {};
  return {column.data, column.dtype, 1, column.rows, column.rows};
}

/// The product of one layer. Each has its own, also where weights are neighbours in memory: a model
/// that is loaded again, with its weights elsewhere, must give the same bits.
struct Product {
  PreparedWeight weight;
  Tensor made;             // what `weight` reads, where it is no parameter
  ConstMatrixView bias;    // (1, out) or absent
  std::int64_t first = 0;  // column of y
  std::int64_t end = 0;
};

Product product_of(Context& context, const WeightAndBias& layer, std::int64_t first,
                   DType compute) {
  Product product{{}, {}, row_of(layer.bias), first, first + layer.weight.shape()[0]};
  if (layer.made == nullptr && layer.weight.prepared != nullptr) {
    product.weight = *layer.weight.prepared;
    return product;
  }
  product.made = layer.made != nullptr ? layer.made(context) : layer.weight.value;
  product.weight = context.backend.prepare_weight(product.made.view(), compute);
  return product;
}

/// visit(product) for each layer in turn; what one needs is gone before the next is made.
template <class Visit>
void for_each_product(Context& context, std::span<const WeightAndBias> layers, DType compute,
                      const Visit& visit) {
  std::int64_t first = 0;
  for (const WeightAndBias& layer : layers) {
    const Product product = product_of(context, layer, first, compute);
    visit(product);
    first = product.end;
  }
}

/// Where the gradients of a layer go, or those of several that are neighbours in memory.
struct GradientPlace {
  MatrixView dweight;  // (n, in)
  MatrixView dbias;    // (n, 1)
  double beta_weight = 0, beta_bias = 0;
  std::int64_t first = 0;  // column of dy
  std::int64_t count = 0;
};

/// Where the gradients of a layer are written.
GradientPlace place_of(const Context& context, const WeightAndBias& layer, std::int64_t first) {
  GradientPlace place;
  place.first = first;
  place.count = layer.weight.shape()[0];
  auto open_one = [&](const Variable& parameter, MatrixView& view, double& beta) {
    contribute_beta(context, parameter.gradient, parameter.shape(), parameter.value.dtype(),
                    [&](double b, MatrixView out) {
                      beta = b;
                      view = out;
                    });
  };
  open_one(layer.weight, place.dweight, place.beta_weight);
  open_one(layer.bias, place.dbias, place.beta_bias);
  if (!place.dbias.is_absent())
    place.dbias = {place.dbias.data, place.dbias.dtype, place.count, 1, 1};
  return place;
}

std::vector<GradientPlace> gradient_places(const Context& context,
                                           std::span<const WeightAndBias> layers) {
  std::vector<GradientPlace> places;
  std::int64_t first = 0;
  for (const WeightAndBias& layer : layers) {
    const GradientPlace place = place_of(context, layer, first);
    first += place.count;
    if (place.dweight.is_absent() && place.dbias.is_absent()) continue;
    GradientPlace* last = places.empty() ? nullptr : &places.back();
    if (last != nullptr && last->first + last->count == place.first &&
        continues(last->dweight, place.dweight) && continues(last->dbias, place.dbias) &&
        last->beta_weight == place.beta_weight && last->beta_bias == place.beta_bias) {
      last->dweight.rows += last->dweight.is_absent() ? 0 : place.count;
      last->dbias.rows += last->dbias.is_absent() ? 0 : place.count;
      last->count += place.count;
    } else {
      places.push_back(place);
    }
  }
  return places;
}

/// dW = dyᵀ x and db = column sums of dy.
void weight_gradients(const Context& context, std::span<const WeightAndBias> layers,
                      const Tensor& dy, const Tensor& x) {
  Backend& backend = context.backend;
  for (const GradientPlace& place : gradient_places(context, layers)) {
    const auto scratch = context.scratch(backend.linear_weight_gradient_workspace(
        dy.view().rows, place.count, layers.front().weight.shape()[1], dy.dtype()));
    backend.linear_weight_gradient(dy.columns(place.first, place.first + place.count),
                                   x.is_empty() ? ConstMatrixView{} : x.view(), place.beta_weight,
                                   place.dweight, place.beta_bias, as_row(place.dbias),
                                   scratch.workspace);
  }
}

/// Of the layers' weights that want a gradient, the one that is complete first: its place on the
/// tape is the latest.
const Gradient* earliest_target(std::span<const WeightAndBias> layers) {
  const Gradient* target = nullptr;
  for (const WeightAndBias& layer : layers) {
    Gradient* gradient = layer.weight.gradient;
    if (gradient == nullptr) continue;
    if (target == nullptr || gradient->node > target->node) target = gradient;
  }
  return target;
}

}  // namespace

Variable linear(Context& context, const Variable& x, std::span<const WeightAndBias> layers) {
  std::int64_t width = 0;
  bool is_recorded = context.records(x);
  for (const WeightAndBias& layer : layers) {
    check_linear(x, layer.weight, layer.bias);
    ensure(layer.made == nullptr || !layer.weight.wants_gradient(), "a weight that stands still");
    width += layer.weight.shape()[0];
    is_recorded = is_recorded || context.records(layer.weight, layer.bias);
  }
  Variable y = constant(context.allocate({x.view().rows, width}, x.value.dtype()));
  for_each_product(context, layers, x.value.dtype(), [&](const Product& product) {
    context.backend.linear(x.view(), product.weight, product.bias,
                           y.value.columns(product.first, product.end));
  });
  if (!is_recorded) return y;

  // Kept: x only where a weight wants dW = dyᵀ x; of the weights, which dx = dy W needs, nothing
  // but the parameters.
  const Kept kept(x, earliest_target(layers));
  y.gradient =
      context.tape->record([kept, layers = std::vector(layers.begin(), layers.end()),
                            dx = x.gradient, shape = x.shape()](Context& c, const Tensor& dy) {
        if (dx != nullptr) {
          for_each_product(c, layers, dy.dtype(), [&](const Product& product) {
            contribute_beta(c, dx, shape, dy.dtype(), [&](double beta, MatrixView out) {
              c.backend.linear_input_gradient(dy.columns(product.first, product.end),
                                              product.weight, beta, out);
            });
          });
        }
        kept.with(c, [layers, dy](Context& later, const Tensor& value) {
          weight_gradients(later, layers, dy, value);
        });
      });
  return y;
}

Variable linear(Context& context, const Variable& x, const Variable& weight, const Variable& bias) {
  const WeightAndBias layer{weight, bias};
  return linear(context, x, {&layer, 1});
}

namespace {

void check_product(const Variable& a, const Variable& b, bool transpose_b) {
  const MatrixView left = a.view(), right = b.view();
  if (left.columns == (transpose_b ? right.columns : right.rows)) return;
  throw ShapeError(fmt::format("matmul: {}{} times {}{}{}", a.shape().to_string(), a.of_name(),
                               b.shape().to_string(), b.of_name(),
                               transpose_b ? " transposed" : ""));
}

/// `operand`, a parameter, in the dtype that it is multiplied in. Only factors of adapters are
/// converted here, a few rows each; weights are prepared once (Parameter::weight).
Tensor in_dtype(const Context& context, const Tensor& operand, DType dtype) {
  if (operand.dtype() == dtype) return operand;
  const Tensor converted = context.allocate(operand.shape(), dtype);
  context.backend.convert(operand.view(), converted.view());
  return converted;
}

/// The gradients of alpha · a op(b). Each operand is saved only where the other's gradient is
/// wanted.
class ProductGradient {
 public:
  /// `factor`: b's value in the dtype of a.
  ProductGradient(double alpha, const Variable& a, const Variable& b, const Tensor& factor,
                  bool transpose_b)
      : alpha_(alpha),
        transpose_b_(transpose_b),
        da_(a.gradient),
        db_(b.gradient),
        a_(a, b.gradient),
        b_(a.wants_gradient() ? factor : Tensor()),
        a_shape_(a.shape()),
        b_shape_(b.shape()) {}

  /// `dy`: columns of `owner`, which keeps them.
  void operator()(Context& c, MatrixView dy, const Tensor& owner) const {
    // da = alpha dy op(b)ᵀ
    contribute_beta(c, da_, a_shape_, dy.dtype, [&](double beta, MatrixView out) {
      c.backend.matmul(alpha_, dy, false, b_.view(), !transpose_b_, beta, out);
    });
    // db = alpha dyᵀ a, or alpha aᵀ dy
    if (db_ == nullptr) return;
    a_.with(c, [alpha = alpha_, transpose_b = transpose_b_, db = db_, shape = b_shape_, dy, owner](
                   Context& later, const Tensor& a) {
      contribute_beta(later, db, shape, accumulation_dtype(dy.dtype),
                      [&](double beta, MatrixView out) {
                        const MatrixView left = transpose_b ? dy : a.view();
                        const MatrixView right = transpose_b ? a.view() : dy;
                        later.backend.matmul(alpha, left, true, right, false, beta, out);
                      });
    });
  }

 private:
  double alpha_;
  bool transpose_b_;
  Gradient* da_;
  Gradient* db_;
  Kept a_;
  Tensor b_;
  Shape a_shape_, b_shape_;
};

}  // namespace

Variable matmul(Context& context, double alpha, const Variable& a, const Variable& b,
                bool transpose_b) {
  check_product(a, b, transpose_b);
  const std::int64_t columns = transpose_b ? b.view().rows : b.view().columns;
  const Tensor factor = in_dtype(context, b.value, a.value.dtype());
  Variable y = constant(context.allocate({a.view().rows, columns}, a.value.dtype()));
  context.backend.matmul(alpha, a.view(), false, factor.view(), transpose_b, 0, y.view());
  if (!context.records(a, b)) return y;

  y.gradient =
      context.tape->record([product = ProductGradient(alpha, a, b, factor, transpose_b)](
                               Context& c, const Tensor& dy) { product(c, dy.view(), dy); });
  return y;
}

namespace {

/// y, which holds the product already, with what the gradient of its columns owes to a and b.
Variable record_matmul(Context& context, const ColumnsOf& y, double alpha, const Variable& a,
                       const Variable& b, const Tensor& factor, bool transpose_b) {
  Variable sum = constant(y.whole.value);
  if (!context.records(y.whole, a, b)) return sum;

  sum.gradient = context.tape->record([product = ProductGradient(alpha, a, b, factor, transpose_b),
                                       dy_in = y.whole.gradient, first = y.first,
                                       end = y.first + y.count](Context& c, const Tensor& dy) {
    product(c, dy.columns(first, end), dy);
    hand_over(c, dy_in, dy);
  });
  return sum;
}

void check_joined(const ColumnsOf& y, const Variable& a, const Variable& b, bool transpose_b) {
  check_product(a, b, transpose_b);
  const MatrixView columns = y.view();
  if (columns.rows == a.view().rows &&
      columns.columns == (transpose_b ? b.view().rows : b.view().columns)) {
    return;
  }
  throw ShapeError(fmt::format("add_matmul: ({}, {}) beside {}{} times {}{}{}", columns.rows,
                               columns.columns, a.shape().to_string(), a.of_name(),
                               b.shape().to_string(), b.of_name(),
                               transpose_b ? " transposed" : ""));
}

}  // namespace

Variable add_matmul(Context& context, const ColumnsOf& y, double alpha, const Variable& a,
                    const Variable& b, bool transpose_b) {
  check_joined(y, a, b, transpose_b);
  const Tensor factor = in_dtype(context, b.value, a.value.dtype());
  context.backend.matmul(alpha, a.view(), false, factor.view(), transpose_b, 1, y.view());
  return record_matmul(context, y, alpha, a, b, factor, transpose_b);
}

Variable with_matmul(Context& context, const ColumnsOf& y, double alpha, const Variable& a,
                     const Variable& b, bool transpose_b) {
  check_joined(y, a, b, transpose_b);
  return record_matmul(context, y, alpha, a, b, in_dtype(context, b.value, a.value.dtype()),
                       transpose_b);
}

}  // namespace basis
