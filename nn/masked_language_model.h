#pragma once

#include <filesystem>
#include <memory>

#include "nn/bert.h"

namespace basis {

/// BERT with the masked-language-model head (arXiv 1810.04805; transformers' BertForMaskedLM):
/// linear, activation, layer norm, then the transposed word embedding and a bias, on the masked
/// rows alone.
class MaskedLanguageModel {
 public:
  MaskedLanguageModel(Backend&, Allocator&, const BertConfig&, Checkpoint* checkpoint,
                      const ModelOptions&);

  /// rows: (M) i32, the masked rows of the packed batch   returns (M, V)
  Variable logits(Context&, const BertInputs&, const Tensor& rows) const;

  /// Where the parameters are.
  Backend& backend() const { return backend_; }
  Bert& bert() { return *bert_; }
  const BertConfig& config() const { return bert_->config(); }
  ParameterStore& parameters() { return *store_; }
  const ParameterStore& parameters() const { return *store_; }
  const LoadReport& load_report() const { return report_; }

 private:
  Backend& backend_;
  std::unique_ptr<ParameterStore> store_;
  std::unique_ptr<Bert> bert_;
  Linear transform_;
  LayerNorm norm_;
  Parameter* decoder_bias_ = nullptr;
  LoadReport report_;
};

/// Writes config.json and model.safetensors under the names that transformers' BertForMaskedLM
/// reads.
void save_model(const std::filesystem::path& folder, const MaskedLanguageModel& model);

}  // namespace basis
