#include "nn/bert.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "autograd/elementwise.h"
#include "autograd/embedding.h"
#include "autograd/rows.h"
#include "nn/dropout_sites.h"

namespace basis {

namespace {

const char* hugging_face_suffix(MatrixKind kind) {
  switch (kind) {
    case MatrixKind::Query:
      return "attention.self.query";
    case MatrixKind::Key:
      return "attention.self.key";
    case MatrixKind::Value:
      return "attention.self.value";
    case MatrixKind::AttentionOutput:
      return "attention.output.dense";
    case MatrixKind::FfnIn:
      return "intermediate.dense";
    case MatrixKind::FfnOut:
      return "output.dense";
  }
  throw InternalError("unknown kind of matrix");
}

LayerNorm make_norm(ModelBuilder& builder, const std::string& name, std::int64_t width,
                    double epsilon) {
  return {&builder.gain(name + ".weight", width, ParameterRole::Encoder),
          &builder.bias(name + ".bias", width, ParameterRole::Encoder), epsilon};
}

Linear make_linear(ModelBuilder& builder, const std::string& name, std::int64_t out,
                   std::int64_t in, ParameterRole role) {
  Parameter& weight = builder.weight(name + ".weight", {out, in}, role);
  return Linear(weight, &builder.bias(name + ".bias", out, role));
}

/// No kernel looks whether an id has a row.
void check_ids(const BertConfig& config, const BertInputs& inputs) {
  if (inputs.largest_id >= config.vocab_size) {
    throw Error(
        fmt::format("token id {} is beyond the model's {} word embeddings: the vocabulary "
                    "is another model's",
                    inputs.largest_id, config.vocab_size));
  }
  if (inputs.largest_type >= config.type_vocab_size) {
    throw Error(
        fmt::format("token type {} is beyond the model's {}: it does not take pairs of "
                    "texts",
                    inputs.largest_type, config.type_vocab_size));
  }
}

/// By the sequences themselves: the layout's `longest` may be a class of lengths.
void check_length(const BertConfig& config, std::span<const std::int32_t> offsets) {
  std::int64_t longest = 0;
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    longest = std::max<std::int64_t>(longest, offsets[b] - offsets[b - 1]);
  }
  const std::int64_t positions = config.max_position_embeddings;
  if (longest <= positions) return;
  if (config.reads_patches()) {
    throw Error(fmt::format("an image of {} patches is larger than the model's {} positions",
                            longest, positions));
  }
  throw Error(
      fmt::format("a sequence of {} tokens is longer than the model's {} positions; "
                  "set max_length to at most {}",
                  longest, positions, positions));
}

}  // namespace

void check_patches(const BertConfig& config, const BertInputs& inputs) {
  if (inputs.patches.is_absent()) {
    throw Error(
        fmt::format("the model reads images in patches of {} x {} pixels (basis_patch_size), and "
                    "this batch is text",
                    config.patch_size, config.patch_size));
  }
  const std::int64_t pixels = inputs.patches.shape().column_count();
  if (pixels == config.patch_size * config.patch_size) return;
  throw Error(
      fmt::format("patches of {} pixels do not fit the model's of {} x {}: cut the images "
                  "as it was trained",
                  pixels, config.patch_size, config.patch_size));
}

std::string bert_matrix_name(std::int64_t layer, MatrixKind kind) {
  return fmt::format("encoder.layer.{}.{}", layer, hugging_face_suffix(kind));
}

Bert::Bert(ModelBuilder& builder, ParameterStore& store, const BertConfig& config, bool has_pooler,
           ParameterRole pooler_role)
    : config_(config), store_(&store), has_pooler_(has_pooler) {
  const std::int64_t width = config.hidden_size;
  if (config.reads_patches()) {
    if (has_pooler) {
      throw Error(
          "a pooler reads [CLS], which a model of patches (basis_patch_size) does not have; choose "
          "head = \"mean\"");
    }
    projection_ = make_linear(builder, "embeddings.patch_embeddings.projection", width,
                              config.patch_size * config.patch_size, ParameterRole::Encoder);
  } else {
    word_ = &builder.weight("embeddings.word_embeddings.weight", {config.vocab_size, width},
                            ParameterRole::Encoder);
    word_->set_read_by_rows(true);
  }
  position_ = &builder.weight("embeddings.position_embeddings.weight",
                              {config.max_position_embeddings, width}, ParameterRole::Encoder);
  if (!config.reads_patches()) {
    type_ = &builder.weight("embeddings.token_type_embeddings.weight",
                            {config.type_vocab_size, width}, ParameterRole::Encoder);
  }
  embedding_norm_ = make_norm(builder, "embeddings.LayerNorm", width, config.layer_norm_eps);
  embedding_dropout_ = make_dropout(config.hidden_dropout_prob, dropout_sites::embeddings);
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    encoder_.layers.push_back(make_layer(builder, i));
  }
  if (has_pooler_) pooler_ = make_linear(builder, "pooler.dense", width, width, pooler_role);
}

EncoderLayer Bert::make_layer(ModelBuilder& builder, std::int64_t index) const {
  const std::int64_t width = config_.hidden_size, inner = config_.intermediate_size;
  EncoderLayer layer;
  // All weights, then all biases: the optimiser lays them out in order of creation, and the
  // gradients of query, key and value, as neighbours, are one product.
  Parameter* weights[std::size(all_matrix_kinds)];
  for (const MatrixKind kind : all_matrix_kinds) {
    const std::int64_t out = kind == MatrixKind::FfnIn ? inner : width;
    const std::int64_t in = kind == MatrixKind::FfnOut ? inner : width;
    weights[static_cast<std::size_t>(kind)] = &builder.weight(
        bert_matrix_name(index, kind) + ".weight", {out, in}, ParameterRole::Encoder);
  }
  for (const MatrixKind kind : all_matrix_kinds) {
    Parameter& weight = *weights[static_cast<std::size_t>(kind)];
    layer.matrix(kind) = Linear(weight, &builder.bias(bert_matrix_name(index, kind) + ".bias",
                                                      weight.shape()[0], ParameterRole::Encoder));
  }
  const std::string prefix = fmt::format("encoder.layer.{}.", index);
  layer.attention_norm =
      make_norm(builder, prefix + "attention.output.LayerNorm", width, config_.layer_norm_eps);
  layer.ffn_norm = make_norm(builder, prefix + "output.LayerNorm", width, config_.layer_norm_eps);
  const std::int64_t head_size = width / config_.num_attention_heads;
  layer.attention_shape = {config_.num_attention_heads, head_size,
                           1 / std::sqrt(static_cast<double>(head_size))};
  layer.hidden_activation.own = config_.hidden_act;
  layer.attention_dropout =
      make_dropout(config_.attention_probs_dropout_prob, dropout_sites::attention(index));
  layer.attention_output_dropout =
      make_dropout(config_.hidden_dropout_prob, dropout_sites::attention_output(index));
  layer.ffn_output_dropout =
      make_dropout(config_.hidden_dropout_prob, dropout_sites::ffn_output(index));
  return layer;
}

Variable Bert::embedded(Context& context, const BertInputs& inputs) const {
  check_length(config_, inputs.layout.host_offsets());
  const Variable normed =
      config_.reads_patches() ? embedded_patches(context, inputs) : embedded_text(context, inputs);
  return dropout(context, normed, embedding_dropout_, inputs.layout.view());
}

Variable Bert::embedded_text(Context& context, const BertInputs& inputs) const {
  if (!inputs.patches.is_absent()) {
    throw Error("the model reads text, and this batch is patches of images");
  }
  check_ids(config_, inputs);
  const Embeddings embeddings{word_->variable(context),
                              inputs.ids,
                              inputs.segments,
                              position_->variable(context),
                              inputs.positions,
                              type_->variable(context),
                              inputs.types};
  return embedding_layer_norm(context, embeddings, embedding_norm_.gamma->variable(context),
                              embedding_norm_.beta->variable(context), embedding_norm_.epsilon);
}

Variable Bert::embedded_patches(Context& context, const BertInputs& inputs) const {
  check_patches(config_, inputs);
  const SequenceView sequences = inputs.layout.view();
  const Variable pixels = cast(context, inputs.patches, context.dtype);
  const Variable positions = cast(
      context, gather_rows(context, position_->variable(context), inputs.positions), context.dtype);
  return embedding_norm_.forward(context, projection_.forward(context, pixels, sequences), {},
                                 positions, sequences);
}

Variable Bert::hidden(Context& context, const BertInputs& inputs) const {
  return encoder_.forward(context, embedded(context, inputs), inputs.layout.view());
}

Variable Bert::first_hidden(Context& context, const BertInputs& inputs) const {
  return encoder_.forward_first_rows(context, embedded(context, inputs), inputs.layout);
}

Variable Bert::pooled(Context& context, const BertInputs& inputs) const {
  ensure(has_pooler_, "pooled() needs a model with a pooler");
  Context exact = context.exact();
  const Variable first = cast(exact, first_hidden(context, inputs), exact.dtype);
  return activation(exact, Activation::Tanh,
                    pooler_.forward_without_bias(exact, first, inputs.layout.pooled_view()),
                    pooler_.bias_variable(exact));
}

}  // namespace basis
