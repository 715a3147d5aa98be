#include "nn/perceptron.h"

#include <fmt/format.h>

#include "autograd/elementwise.h"
#include "autograd/rows.h"

namespace basis {
namespace {

void check_images(const BertConfig& config, const BertInputs& inputs) {
  check_patches(config, inputs);
  const std::span<const std::int32_t> offsets = inputs.layout.host_offsets();
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    const std::int64_t patches = offsets[b] - offsets[b - 1];
    if (patches == config.max_position_embeddings) continue;
    throw Error(fmt::format("an image of {} patches does not fit the perceptron's {}", patches,
                            config.max_position_embeddings));
  }
}

}  // namespace

Perceptron::Perceptron(ModelBuilder& builder, const BertConfig& config) : config_(config) {
  std::int64_t inputs = config.pixels();
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = fmt::format("layers.{}", i);
    Parameter& weight =
        builder.weight(name + ".weight", {config.hidden_size, inputs}, ParameterRole::Encoder);
    Parameter& bias = builder.bias(name + ".bias", config.hidden_size, ParameterRole::Encoder);
    layers_.push_back({Linear(weight, &bias), {config.hidden_act, nullptr}});
    inputs = config.hidden_size;
  }
}

Variable Perceptron::hidden(Context& context, const BertInputs& inputs) const {
  check_images(config_, inputs);
  Context exact = context.exact();
  const SequenceView images = inputs.layout.pooled_view();
  Variable x = joined_rows(exact, cast(exact, inputs.patches, exact.dtype), images.rows,
                           config_.max_position_embeddings);
  for (const Layer& layer : layers_) {
    x = layer.activation.forward(exact, layer.linear.forward_without_bias(exact, x, images),
                                 layer.linear.bias_variable(exact));
  }
  return x;
}

}  // namespace basis
