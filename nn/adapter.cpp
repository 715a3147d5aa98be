#include "nn/adapter.h"

#include <algorithm>

#include "autograd/elementwise.h"
#include "autograd/linear.h"

namespace basis {

namespace {

/// h Fᵀ.   h: (T, columns)   returns (T, rows)
Variable apply_transposed(Context& context, const Variable& h, const Factor& factor) {
  const Variable f = factor.parameter->variable(context);
  switch (factor.kind) {
    case Factor::Kind::Dense:
      return matmul(context, 1, h, f, true);
    case Factor::Kind::Diagonal:
      return scale_columns(context, h, f);
    case Factor::Kind::Band:
      return matmul(context, 1, h, band_to_dense(context, f), true);
  }
  throw InternalError("unknown kind of factor");
}

/// p F.   p: (out, rows)   returns (out, columns)
Variable multiply(Context& context, const Variable& p, const Factor& factor) {
  const Variable f = factor.parameter->variable(context);
  switch (factor.kind) {
    case Factor::Kind::Dense:
      return matmul(context, 1, p, f, false);
    case Factor::Kind::Diagonal:
      return scale_columns(context, p, f);
    case Factor::Kind::Band:
      return matmul(context, 1, p, band_to_dense(context, f), false);
  }
  throw InternalError("unknown kind of factor");
}

}  // namespace

namespace {

/// x Fₙᵀ ⋯ F₂ᵀ.
Variable before_last_factor(Context& context, Variable h, const FactorProduct& term) {
  for (std::size_t i = term.factors.size() - 1; i > 0; --i) {
    h = apply_transposed(context, h, term.factors[i]);
  }
  return h;
}

bool trains(const FactorProduct& term) {
  return std::any_of(term.factors.begin(), term.factors.end(),
                     [](const Factor& factor) { return factor.parameter->is_trainable(); });
}

bool begins_and_ends_dense(const FactorProduct& term) {
  return term.factors.size() > 1 && term.factors.front().kind == Factor::Kind::Dense &&
         term.factors.back().kind == Factor::Kind::Dense;
}

}  // namespace

Variable Adapter::add_side_path(Context& context, const ColumnsOf& y, const Variable& x,
                                const SequenceView& sequences) const {
  ColumnsOf sum = y;
  const Variable input = dropout(context, x, input_dropout, sequences);
  for (const FactorProduct& term : terms) {
    const Variable h = before_last_factor(context, input, term);
    const Factor& last = term.factors.front();
    if (last.kind == Factor::Kind::Dense) {
      sum.whole = add_matmul(context, sum, term.scale, h, last.parameter->variable(context), true);
    } else {
      sum.whole = add_to_columns(context, sum, term.scale, apply_transposed(context, h, last));
    }
  }
  return sum.whole;
}

bool Adapter::is_summable() const {
  return scale.of == LayerScale::Of::Nothing &&
         std::all_of(terms.begin(), terms.end(), begins_and_ends_dense);
}

bool Adapter::is_folded(const Context& context) const {
  return path == Path::Folded && context.dtype != DType::BF16 && is_summable();
}

Variable Adapter::with_factor_gradients(Context& context, const ColumnsOf& y,
                                        const Variable& x) const {
  ColumnsOf sum = y;
  if (context.tape == nullptr) return sum.whole;
  Variable input = x;
  input.gradient = nullptr;  // dx has come with the product
  for (const FactorProduct& term : terms) {
    if (!trains(term)) continue;
    const Variable h = before_last_factor(context, input, term);
    sum.whole = with_matmul(context, sum, term.scale, h,
                            term.factors.front().parameter->variable(context), true);
  }
  return sum.whole;
}

namespace {

/// F as a matrix; a diagonal one only where nothing trains through it.
Variable dense_form(Context& context, const Factor& factor) {
  const Variable f = factor.parameter->variable(context);
  if (factor.kind == Factor::Kind::Dense) return f;
  ensure(factor.kind == Factor::Kind::Diagonal && context.tape == nullptr,
         "a product that trains merged starts dense");
  return band_to_dense(context, constant(f.value.reshape({1, f.value.element_count()})));
}

}  // namespace

Variable Adapter::merged_weight(Context& context, const Variable& weight) const {
  Variable sum = constant(context.allocate(weight.shape(), weight.value.dtype()));
  context.backend.convert(weight.view(), sum.view());
  for (const FactorProduct& term : terms) {
    ensure(term.factors.back().kind == Factor::Kind::Dense, "a summed product ends dense");
    Variable product = dense_form(context, term.factors.front());
    for (std::size_t i = 1; i + 1 < term.factors.size(); ++i) {
      product = multiply(context, product, term.factors[i]);
    }
    sum = add_matmul(context, all_columns(sum), term.scale, product,
                     term.factors.back().parameter->variable(context), false);
  }
  return sum;
}

Variable Adapter::scaled_input(Context& context, const Variable& x) const {
  if (scale.of != LayerScale::Of::Inputs) return x;
  return scale_columns(context, x, scale.vector->variable(context));
}

Variable Adapter::scaled_bias(Context& context, const Variable& bias) const {
  if (scale.of != LayerScale::Of::Outputs || bias.is_absent()) return bias;
  ensure(!bias.wants_gradient(), "the bias of a scaled layer is frozen");
  const Tensor row = bias.value.reshape({1, bias.value.element_count()});
  return scale_columns(context, constant(row), scale.vector->variable(context));
}

Variable Adapter::scale_output(Context& context, const ColumnsOf& y, const Variable& weight,
                               const Variable& bias) const {
  switch (scale.of) {
    case LayerScale::Of::Nothing:
    case LayerScale::Of::Inputs:
      return y.whole;
    case LayerScale::Of::Outputs:
      return scale_columns_of(context, y, scale.vector->variable(context));
    case LayerScale::Of::RowNorms: {
      Context untaped = context.without_tape();
      const Tensor w = merged_weight(untaped, constant(weight.value)).value;
      const Variable v = scale.vector->variable(context);
      return scale_columns_of(context, y, over_row_norms(context, v, w), bias);
    }
  }
  throw InternalError("unknown scale");
}

}  // namespace basis
