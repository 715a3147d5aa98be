#include "nn/linear.h"

#include <vector>

#include "autograd/linear.h"

namespace basis {

namespace {

/// What the product multiplies with: the merged weight where the adapter is merged.
Variable product_weight(Context& context, const Linear& layer) {
  const Adapter* adapter = layer.adapter();
  if (adapter == nullptr || !adapter->is_merged) return layer.weight().weight(context);
  return adapter->merged_weight(context, layer.weight().variable(context));
}

Variable forward_layers(Context& context, std::span<const Linear* const> layers, const Variable& x,
                        const SequenceView& sequences, bool has_bias) {
  std::vector<WeightAndBias> products;
  for (const Linear* layer : layers) {
    products.push_back(
        {product_weight(context, *layer), has_bias ? layer->bias_variable(context) : Variable{}});
  }
  Variable y = linear(context, x, products);
  std::int64_t first = 0;
  for (const Linear* layer : layers) {
    const Adapter* adapter = layer->adapter();
    if (adapter != nullptr && !adapter->is_merged) {
      y = adapter->add_side_path(context, {y, first, layer->outputs()}, x, sequences);
    }
    first += layer->outputs();
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
