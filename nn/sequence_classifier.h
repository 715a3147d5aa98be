#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/bert.h"
#include "nn/perceptron.h"

namespace basis {

/// BERT with a task head: dropout and one linear layer over the mean of a sequence's tokens
/// (`head = "mean"`, METHODS.md 1) or over the pooler's output (`"pooler"`, transformers'
/// BertForSequenceClassification). One output is a regression. In BERT's place may stand a
/// perceptron on pixels (BertConfig::is_perceptron), whose output the head reads.
class SequenceClassifier {
 public:
  /// `outputs`: classes, or 1. `checkpoint` may be null: all from the initialiser.
  SequenceClassifier(Backend&, Allocator&, const BertConfig&, std::int64_t outputs,
                     Checkpoint* checkpoint, const ModelOptions&);

  /// returns (B, outputs)
  Variable logits(Context&, const BertInputs&) const;

  /// Where the parameters are.
  Backend& backend() const { return backend_; }
  /// Throws Error where the model is a perceptron.
  Bert& bert() const;
  /// Of a transformer; none of a perceptron.
  std::span<EncoderLayer> layers();
  std::span<const EncoderLayer> layers() const;
  /// A layer's activation under the layer's name, which is `width` wide.
  struct NamedActivation {
    std::string layer;
    std::int64_t width;
    ActivationSlot* slot;
  };
  /// Of every layer, of a transformer as of a perceptron.
  std::vector<NamedActivation> activations() const;
  const BertConfig& config() const { return config_; }
  ParameterStore& parameters() { return *store_; }
  const ParameterStore& parameters() const { return *store_; }
  std::int64_t outputs() const { return classifier_.outputs(); }
  const LoadReport& load_report() const { return report_; }

 private:
  Variable features(Context&, const BertInputs&) const;

  Backend& backend_;
  BertConfig config_;
  std::unique_ptr<ParameterStore> store_;
  std::unique_ptr<Bert> bert_;  // one of these two
  std::unique_ptr<Perceptron> perceptron_;
  Linear classifier_;
  Dropout head_dropout_;
  LoadReport report_;
};

/// Writes config.json and model.safetensors (no adapters: merge first), under the names that
/// transformers' BertForSequenceClassification reads. The tokenizer's files are data's to write.
void save_model(const std::filesystem::path& folder, const SequenceClassifier& model);

/// Writes config.json and model.safetensors of the encoder alone, under the names that
/// transformers' BertModel reads: what is loaded from it gets a new head. No adapters: merge first.
void save_encoder(const std::filesystem::path& folder, const SequenceClassifier& model);

}  // namespace basis
