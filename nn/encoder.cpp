#include "nn/encoder.h"

#include "autograd/attention.h"
#include "autograd/recompute.h"
#include "autograd/rows.h"

namespace basis {

const char* name_of(MatrixKind kind) {
  switch (kind) {
    case MatrixKind::Query:
      return "query";
    case MatrixKind::Key:
      return "key";
    case MatrixKind::Value:
      return "value";
    case MatrixKind::AttentionOutput:
      return "attention_output";
    case MatrixKind::FfnIn:
      return "ffn_in";
    case MatrixKind::FfnOut:
      return "ffn_out";
  }
  return "?";
}

Linear& EncoderLayer::matrix(MatrixKind kind) {
  switch (kind) {
    case MatrixKind::Query:
      return query;
    case MatrixKind::Key:
      return key;
    case MatrixKind::Value:
      return value;
    case MatrixKind::AttentionOutput:
      return attention_output;
    case MatrixKind::FfnIn:
      return ffn_in;
    case MatrixKind::FfnOut:
      return ffn_out;
  }
  throw InternalError("unknown kind of matrix");
}

const Linear& EncoderLayer::matrix(MatrixKind kind) const {
  return const_cast<EncoderLayer*>(this)->matrix(kind);  // which only selects
}

Variable EncoderLayer::forward(Context& context, const Variable& x,
                               const SequenceView& sequences) const {
  const Linear* const inputs[] = {&query, &key, &value};
  const Variable qkv = forward_side_by_side(context, inputs, x, sequences);
  const std::int64_t width = query.outputs();
  const Variable mixed =
      attention(context, {qkv, 0, width}, {qkv, width, width}, {qkv, 2 * width, width}, sequences,
                attention_shape, attention_dropout);
  return after_attention(context, mixed, x, sequences);
}

Variable EncoderLayer::forward_first_rows(Context& context, const Variable& x,
                                          const PackedLayout& layout) const {
  const SequenceView& sequences = layout.view();
  const SequenceView first_rows = layout.pooled_view();
  const Variable first = gather_rows(context, x, layout.first_rows());
  const Variable q = query.forward(context, first, first_rows);
  const Linear* const inputs[] = {&key, &value};
  const Variable kv = forward_side_by_side(context, inputs, x, sequences);
  AttentionShape shape = attention_shape;
  shape.queries = AttentionShape::Queries::FirstRows;
  const std::int64_t width = query.outputs();
  const Variable mixed = attention(context, all_columns(q), {kv, 0, width}, {kv, width, width},
                                   sequences, shape, attention_dropout);
  return after_attention(context, mixed, first, first_rows);
}

Variable EncoderLayer::after_attention(Context& context, const Variable& mixed, const Variable& x,
                                       const SequenceView& sequences) const {
  const Variable a =
      attention_norm.forward(context, attention_output.forward(context, mixed, sequences),
                             attention_output_dropout, x, sequences);
  const Variable inner = hidden_activation.forward(
      context, ffn_in.forward_without_bias(context, a, sequences), ffn_in.bias_variable(context));
  return ffn_norm.forward(context, ffn_out.forward(context, inner, sequences), ffn_output_dropout,
                          a, sequences);
}

namespace {

Variable forward_layer(Context& context, const EncoderLayer& layer, const Variable& x,
                       const SequenceView& sequences) {
  if (!context.recomputes_layers) return layer.forward(context, x, sequences);
  return recomputed(context, x, [&layer, sequences](Context& c, const Variable& input) {
    return layer.forward(c, input, sequences);
  });
}

}  // namespace

Variable Encoder::forward(Context& context, Variable x, const SequenceView& sequences) const {
  for (const EncoderLayer& layer : layers) x = forward_layer(context, layer, x, sequences);
  return x;
}

Variable Encoder::forward_first_rows(Context& context, Variable x,
                                     const PackedLayout& layout) const {
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    x = forward_layer(context, layers[i], x, layout.view());
  }
  return layers.back().forward_first_rows(context, x, layout);
}

}  // namespace basis
