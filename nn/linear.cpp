#include "nn/linear.h"

#include <vector>

#include "autograd/linear.h"

namespace basis {

namespace {

Variable bias_of(const Context& context, const Linear& layer) {
  return layer.bias() == nullptr ? Variable{} : layer.bias()->variable(context);
}

/// x as the one layer that multiplies it wants it; those side by side want it as it is.
Variable input_of(Context& context, std::span<const Linear* const> layers, const Variable& x) {
  const Adapter* adapter = layers.front()->adapter();
  if (layers.size() == 1) return adapter == nullptr ? x : adapter->scaled_input(context, x);
  for (const Linear* layer : layers) {
    ensure(layer->adapter() == nullptr || layer->adapter()->scale.of != LayerScale::Of::Inputs,
           "layers side by side have one input");
  }
  return x;
}

/// What the product multiplies with: the weight; where the adapter is merged or folded, the sum.
WeightAndBias product_operands(Context& context, const Linear& layer, bool has_bias) {
  const Adapter* adapter = layer.adapter();
  const bool is_added_after = adapter != nullptr && adapter->scale.of == LayerScale::Of::RowNorms;
  const Variable bias = has_bias && !is_added_after ? bias_of(context, layer) : Variable{};
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

Variable forward_layers(Context& context, std::span<const Linear* const> layers,
                        const Variable& input, const SequenceView& sequences, bool has_bias) {
  const Variable x = input_of(context, layers, input);
  std::vector<WeightAndBias> operands;
  for (const Linear* layer : layers) {
    // A view of first rows has one a sequence.
    if (layer->observer()) {
      layer->observer()(input.value, sequences.tokens > 0 ? sequences.tokens : sequences.sequences);
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
  // Last, so that backward scales the gradient before anyone reads it.
  first = 0;
  for (const Linear* layer : layers) {
    if (const Adapter* adapter = layer->adapter()) {
      y = adapter->scale_output(context, {y, first, layer->outputs()},
                                layer->weight().variable(context),
                                has_bias ? bias_of(context, *layer) : Variable{});
    }
    first += layer->outputs();
  }
  return y;
}

}  // namespace

Variable Linear::bias_variable(Context& context) const {
  const Variable bias = bias_of(context, *this);
  return adapter_ == nullptr ? bias : adapter_->scaled_bias(context, bias);
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
