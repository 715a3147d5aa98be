#pragma once

#include <memory>

#include "nn/bert_config.h"
#include "nn/encoder.h"
#include "nn/model_builder.h"
#include "tensor/packed.h"
#include "tensor/row_segments.h"

namespace basis {

/// A packed batch as a BERT reads it: a token is an id, or a patch of an image. All ids are (rows)
/// i32 in the backend's memory, zero beyond T.
struct BertInputs {
  const PackedLayout& layout;
  Tensor ids;  // of text
  Tensor positions;
  Tensor types;  // of text
  std::int32_t largest_id = 0;
  std::int32_t largest_type = 0;
  RowSegments segments = {};  // the T rows by their id; needed where the word embeddings train
  /// Of images: (rows, pixels of a patch), zero beyond T, of any floating dtype; a gradient comes
  /// back in it where one is wanted.
  Variable patches = {};
};

/// BERT's body (arXiv 1810.04805; transformers' BertModel): embeddings, encoder and, where the
/// checkpoint or the head has one, the pooler. Parameters have Hugging Face names without `bert.`.
/// With `patch_size` a token's embedding is a linear map of its pixels in place of word and type
/// (arXiv 2010.11929, eq. 1, without a class token); everything behind it is the same.
class Bert {
 public:
  /// Parameters come from `checkpoint` where it has them (null: all from the initialiser).
  /// `has_pooler`: whether to make one; Error for a model of patches, which has no `[CLS]`.
  Bert(ModelBuilder& builder, ParameterStore& store, const BertConfig& config, bool has_pooler,
       ParameterRole pooler_role);

  // All of these throw Error for text where the model reads patches and the other way round, for
  // patches of another size, for ids that have no embedding and for too long a sequence.

  /// The last layer's rows.   returns (rows, H)
  Variable hidden(Context&, const BertInputs&) const;
  /// The last layer's first row of each sequence, where `[CLS]` stands, and no other row of it.
  ///   returns (B, H)
  Variable first_hidden(Context&, const BertInputs&) const;
  /// tanh(W h_[CLS] + b).   returns (B, H)
  Variable pooled(Context&, const BertInputs&) const;

  const BertConfig& config() const { return config_; }
  ParameterStore& parameters() const { return *store_; }
  /// Of a model that reads text.
  Parameter& word_embeddings() const { return *word_; }
  Parameter& position_embeddings() const { return *position_; }
  Encoder& encoder() { return encoder_; }
  const Encoder& encoder() const { return encoder_; }
  bool has_pooler() const { return has_pooler_; }

 private:
  Variable embedded(Context&, const BertInputs&) const;
  Variable embedded_text(Context&, const BertInputs&) const;
  Variable embedded_patches(Context&, const BertInputs&) const;
  EncoderLayer make_layer(ModelBuilder& builder, std::int64_t index) const;

  BertConfig config_;
  ParameterStore* store_;
  Parameter* word_ = nullptr;  // of text
  Parameter* position_;
  Parameter* type_ = nullptr;  // of text
  Linear projection_;          // of patches: (H, pixels)
  LayerNorm embedding_norm_;
  Dropout embedding_dropout_;
  Encoder encoder_;
  bool has_pooler_;
  Linear pooler_;
};

/// Throws Error where a batch is not of the patches that a model of images reads.
void check_patches(const BertConfig& config, const BertInputs& inputs);

/// The Hugging Face name of a layer's matrix, without ".weight".
std::string bert_matrix_name(std::int64_t layer, MatrixKind kind);

}  // namespace basis
