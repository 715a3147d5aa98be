#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/backend.h"

namespace basis {

/// The sizes and settings of a BERT, as Hugging Face's config.json names them. Defaults are those
/// of bert-base (arXiv 1810.04805).
struct BertConfig {
  std::int64_t vocab_size = 30522;             // V
  std::int64_t hidden_size = 768;              // H
  std::int64_t num_hidden_layers = 12;         // N
  std::int64_t num_attention_heads = 12;       // A
  std::int64_t intermediate_size = 3072;       // F
  std::int64_t max_position_embeddings = 512;  // longest sequence
  std::int64_t type_vocab_size = 2;
  Activation hidden_act = Activation::GeluErf;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  /// Before the classifier; none: hidden_dropout_prob.
  std::optional<double> classifier_dropout;
  double layer_norm_eps = 1e-12;
  double initializer_range = 0.02;
  std::int32_t pad_token_id = 0;
  /// Of a model that reads images: a token is a square of so many pixels a side, and there are no
  /// word and type embeddings (vocab_size and type_vocab_size are 0). The key "basis_patch_size";
  /// 0: the model reads text.
  std::int64_t patch_size = 0;
  /// A model of images that is a multilayer perceptron on all pixels of an image, which has
  /// max_position_embeddings patches: num_hidden_layers layers of hidden_size, 0 for a linear
  /// classifier (hidden_size is then the number of pixels), num_attention_heads and
  /// intermediate_size 0. The key "basis_perceptron".
  bool is_perceptron = false;

  /// transformers' classes that the weights are for: "BertForSequenceClassification".
  std::vector<std::string> architectures;
  /// "mean" or "pooler" (transformers' own), the key "basis_head". Where the file does not say:
  /// pooler for transformers' BertForSequenceClassification, else mean.
  std::string head = "mean";
  /// The classes' names by index; empty where the file names none.
  std::vector<std::string> labels;
  /// "regression", "single_label_classification", "multi_label_classification" or empty.
  std::string problem_type;

  /// Reads `folder`/config.json. Throws Error as parse does, or where the file cannot be read.
  static BertConfig read(const std::filesystem::path& folder);
  /// Throws Error with `source_name` and the key: not JSON, another model's, a missing key, a wrong
  /// type, what this BERT does not do (relative positions, a decoder), and all that `validate`
  /// finds.
  static BertConfig parse(std::string_view text, const std::string& source_name);

  /// A config.json that transformers' from_pretrained takes. parse gives back an equal BertConfig.
  /// Throws Error for a label that is not UTF-8.
  std::string to_json() const;

  /// Throws Error with `source_name` and the key for sizes that are zero, negative or beyond all
  /// reason, heads that do not divide the width, probabilities outside [0, 1), and values that are
  /// not finite. For a BertConfig that was made by code; parse calls it.
  void validate(const std::string& source_name) const;

  bool reads_patches() const { return patch_size > 0; }
  /// Of an image that a perceptron reads.
  std::int64_t pixels() const { return max_position_embeddings * patch_size * patch_size; }

  /// All weights of embeddings, layers and, but for images, pooler. Sizes within validate's limits
  /// do not overflow it.
  std::int64_t parameter_count() const;

  bool operator==(const BertConfig&) const = default;
};

}  // namespace basis
