#pragma once

#include <cstdint>
#include <vector>

#include "nn/activation_slot.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "tensor/packed.h"

namespace basis {

/// The six matrices of an encoder layer, in the study's words.
enum class MatrixKind : std::uint8_t { Query, Key, Value, AttentionOutput, FfnIn, FfnOut };

inline constexpr MatrixKind all_matrix_kinds[] = {MatrixKind::Query, MatrixKind::Key,
                                                  MatrixKind::Value, MatrixKind::AttentionOutput,
                                                  MatrixKind::FfnIn, MatrixKind::FfnOut};

/// "query", "key", "value", "attention_output", "ffn_in", "ffn_out".
const char* name_of(MatrixKind kind);

/// One post-norm transformer layer (arXiv 1706.03762; BERT, arXiv 1810.04805):
///   a = norm(x + dropout(W_o attention(x))),  y = norm(a + dropout(W_out gelu(W_in a))).
struct EncoderLayer {
  Linear query, key, value, attention_output, ffn_in, ffn_out;  // H x H four times, F x H, H x F
  LayerNorm attention_norm, ffn_norm;
  AttentionShape attention_shape;
  ActivationSlot hidden_activation;
  Dropout attention_dropout, attention_output_dropout, ffn_output_dropout;

  /// x: (T, H), returns (T, H).
  Variable forward(Context&, const Variable& x, const SequenceView& sequences) const;
  /// The first row of each sequence alone: keys and values of all rows, the rest for that row.
  ///   x: (T, H)   returns (B, H)
  Variable forward_first_rows(Context&, const Variable& x, const PackedLayout&) const;

  Linear& matrix(MatrixKind kind);
  const Linear& matrix(MatrixKind kind) const;

 private:
  /// mixed: attention's output, x: the layer's input at the same rows.
  Variable after_attention(Context&, const Variable& mixed, const Variable& x,
                           const SequenceView& sequences) const;
};

/// A stack of layers; serves BERT and whoever fills it.
struct Encoder {
  std::vector<EncoderLayer> layers;

  Variable forward(Context&, Variable x, const SequenceView& sequences) const;
  /// The same at the first row of each sequence.   x: (T, H)   returns (B, H)
  Variable forward_first_rows(Context&, Variable x, const PackedLayout&) const;
};

}  // namespace basis
