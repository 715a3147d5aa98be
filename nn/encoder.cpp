#include "nn/encoder.h"

#include "autograd/attention.h"
#include "autograd/elementwise.h"

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

Variable EncoderLayer::forward(Context& context, const Variable& x,
                               const SequenceView& sequences) const {
  const Variable mixed = attention(
      context, query.forward(context, x, sequences), key.forward(context, x, sequences),
      value.forward(context, x, sequences), sequences, attention_shape, attention_dropout);
  const Variable a =
      attention_norm.forward(context, attention_output.forward(context, mixed, sequences),
                             attention_output_dropout, x, sequences);
  const Variable inner =
      activation(context, hidden_activation, ffn_in.forward(context, a, sequences));
  return ffn_norm.forward(context, ffn_out.forward(context, inner, sequences), ffn_output_dropout,
                          a, sequences);
}

Variable Encoder::forward(Context& context, Variable x, const SequenceView& sequences) const {
  for (const EncoderLayer& layer : layers) x = layer.forward(context, x, sequences);
  return x;
}

}  // namespace basis
