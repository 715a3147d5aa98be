#include "nn/masked_language_model.h"

#include "autograd/elementwise.h"
#include "autograd/linear.h"
#include "autograd/rows.h"

namespace basis {

MaskedLanguageModel::MaskedLanguageModel(Backend& backend, Allocator& allocator,
                                         const BertConfig& config, Checkpoint* checkpoint,
                                         const ModelOptions& options)
    : backend_(backend), store_(std::make_unique<ParameterStore>()) {
  if (config.reads_patches()) {
    throw Error(
        "masked language modelling needs a model of text, and this one reads patches of images "
        "(basis_patch_size)");
  }
  ModelBuilder builder(backend, allocator, *store_, checkpoint, options, config.initializer_range);
  bert_ = std::make_unique<Bert>(builder, *store_, config, false, ParameterRole::Head);
  bert_->word_embeddings().set_read_by_rows(false);  // the decoder's product reads all of it
  const std::string prefix = "cls.predictions.";
  const std::int64_t width = config.hidden_size;
  Parameter& weight =
      builder.weight(prefix + "transform.dense.weight", {width, width}, ParameterRole::Head);
  transform_ =
      Linear(weight, &builder.bias(prefix + "transform.dense.bias", width, ParameterRole::Head));
  norm_.gamma = &builder.gain(prefix + "transform.LayerNorm.weight", width, ParameterRole::Head);
  norm_.beta = &builder.bias(prefix + "transform.LayerNorm.bias", width, ParameterRole::Head);
  norm_.epsilon = config.layer_norm_eps;
  decoder_bias_ = &builder.bias(prefix + "bias", config.vocab_size, ParameterRole::Head);
  report_ = builder.report();
}

Variable MaskedLanguageModel::logits(Context& context, const BertInputs& inputs,
                                     const Tensor& rows) const {
  const Variable hidden = gather_rows(context, bert_->hidden(context, inputs), rows);
  const SequenceView no_sequences{nullptr, nullptr, rows.element_count(), rows.element_count(),
                                  1,       0};
  const Variable transformed =
      activation(context, config().hidden_act, transform_.forward(context, hidden, no_sequences));
  const Variable normed = norm_.forward(context, transformed, {}, {}, no_sequences);
  return linear(context, normed, bert_->word_embeddings().weight(context),
                decoder_bias_->variable(context));
}

void save_model(const std::filesystem::path& folder, const MaskedLanguageModel& model) {
  BertConfig config = model.config();
  config.architectures = {"BertForMaskedLM"};
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& parameter : model.parameters().all()) {
    const bool is_head = parameter->name().starts_with("cls.");
    tensors.emplace_back((is_head ? "" : "bert.") + parameter->name(), parameter->value());
  }
  write_checkpoint(folder, config, model.backend(), tensors);
}

}  // namespace basis
