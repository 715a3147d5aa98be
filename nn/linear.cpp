#include "nn/linear.h"

#include <vector>

#include "autograd/linear.h"

namespace basis {

namespace {

/// What the product multiplies with: the weight; where the adapter is merged or folded, the sum.
WeightAndBias product_operands(Context& context, const Linear& layer, bool has_bias) {
  const Variable bias = has_bias ? layer.bias_variable(context) : Variable{};
  const Adapter* adapter = layer.adapter();
  if (adapter == nullptr) return {layer.weight().weight(context), bias};
  const Variable weight = layer.weight().variable(context);
  if (adapter->path == Adapter::Path::Merged) {
    return {adapter->merged_weight(context, weight), bias};
  }
  if (!adapter->is_folded(context)) return {layer.weight().weight(context), bias};
  return {weight, bias, [adapter, weight](Context& c) {
            Context untaped = c.without_tape();
            return adapter->merged_weight(untaped, weight).value;
          }};
}

Variable forward_layers(Context& context, std::span<const Linear* const> layers, const Variable& x,
                        const SequenceView& sequences, bool has_bias) {
  std::vector<WeightAndBias> operands;
  for (const Linear* layer : layers) {
    // A view of first rows has one a sequence.
    if (layer->observer()) {
      layer->observer()(x.value, sequences.tokens > 0 ? sequences.tokens : sequences.sequences);
    }
    operands.push_back(product_operands(context, *layer, has_bias));
  }
  Variable y = linear(context, x, operands);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Adapter* adapter = layers[i]->adapter();
    const ColumnsOf own{y, first, layers[i]->outputs()};
    if (operands[i].made != nullptr) {
      y = adapter->with_factor_gradients(context, own, x);
    } else if (adapter != nullptr && adapter->path != Adapter::Path::Merged) {
      y = adapter->add_side_path(context, own, x, sequences);
    }
    first += layers[i]->outputs();
  }
  return y;
}

}  // namespace

Variable Linear::bias_variable(const Context& context) const {
  return bias_ == nullptr ? Variable{} : bias_->variable(context);
}

Variable Linear::forward(Context& context, const Variable& x, const SequenceView& sequences) const {
  const Linear* self = this;
  return forward_layers(context, {&self, 1}, x, sequences, true);
}

Variable Linear::forward_without_bias(Context& context, const Variable& x,
                                      const SequenceView& sequences) const {
  const Linear* self = this;
  return forward_layers(context, {&self, 1}, x, sequences, false);
}

Variable forward_side_by_side(Context& context, std::span<const Linear* const> layers,
                              const Variable& x, const SequenceView& sequences) {
  return forward_layers(context, layers, x, sequences, true);
}

}  // namespace basis
