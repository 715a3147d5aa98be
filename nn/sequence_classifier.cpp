#include "nn/sequence_classifier.h"

#include <fmt/format.h>

#include "autograd/elementwise.h"
#include "autograd/rows.h"
#include "nn/dropout_sites.h"

namespace basis {

SequenceClassifier::SequenceClassifier(Backend& backend, Allocator& allocator,
                                       const BertConfig& config, std::int64_t outputs,
                                       Checkpoint* checkpoint, const ModelOptions& options)
    : backend_(backend), config_(config), store_(std::make_unique<ParameterStore>()) {
  ModelBuilder builder(backend, allocator, *store_, checkpoint, options, config.initializer_range);
  if (config.is_perceptron) {
    perceptron_ = std::make_unique<Perceptron>(builder, config);
  } else {
    const bool uses_pooler = config.head == "pooler";
    const bool has_pooler =
        uses_pooler || (checkpoint != nullptr && checkpoint->contains("pooler.dense.weight"));
    bert_ = std::make_unique<Bert>(builder, *store_, config, has_pooler,
                                   uses_pooler ? ParameterRole::Head : ParameterRole::Encoder);
  }
  Parameter& weight =
      builder.weight("classifier.weight", {outputs, config.hidden_size}, ParameterRole::Head);
  classifier_ = Linear(weight, &builder.bias("classifier.bias", outputs, ParameterRole::Head));
  head_dropout_ = make_dropout(config.classifier_dropout.value_or(config.hidden_dropout_prob),
                               dropout_sites::head);
  report_ = builder.report();
}

Bert& SequenceClassifier::bert() const {
  if (bert_ != nullptr) return *bert_;
  throw Error("the model is a perceptron (basis_perceptron), and this needs a transformer");
}

std::span<EncoderLayer> SequenceClassifier::layers() {
  if (bert_ == nullptr) return {};
  return bert_->encoder().layers;
}

std::span<const EncoderLayer> SequenceClassifier::layers() const {
  return const_cast<SequenceClassifier*>(this)->layers();  // which only selects
}

std::vector<SequenceClassifier::NamedActivation> SequenceClassifier::activations() const {
  std::vector<NamedActivation> all;
  if (perceptron_ != nullptr) {
    for (Perceptron::Layer& layer : perceptron_->layers()) {
      all.push_back({fmt::format("layers.{}", all.size()), config_.hidden_size, &layer.activation});
    }
    return all;
  }
  for (EncoderLayer& layer : bert_->encoder().layers) {
    all.push_back({fmt::format("encoder.layer.{}.intermediate", all.size()),
                   config_.intermediate_size, &layer.hidden_activation});
  }
  return all;
}

/// What the head reads, in the dtype of sums.   returns (B, H)
Variable SequenceClassifier::features(Context& context, const BertInputs& inputs) const {
  if (perceptron_ != nullptr) return perceptron_->hidden(context, inputs);
  if (config_.head == "pooler") return bert_->pooled(context, inputs);
  Context exact = context.exact();
  return cast(exact, mean_pool(context, bert_->hidden(context, inputs), inputs.layout.view()),
              exact.dtype);
}

Variable SequenceClassifier::logits(Context& context, const BertInputs& inputs) const {
  Context exact = context.exact();
  const SequenceView rows = inputs.layout.pooled_view();
  return classifier_.forward(exact, dropout(exact, features(context, inputs), head_dropout_, rows),
                             rows);
}

void save_model(const std::filesystem::path& folder, const SequenceClassifier& model) {
  BertConfig config = model.config();
  config.architectures = {"BertForSequenceClassification"};
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->role() == ParameterRole::Adapter) continue;
    const bool is_head = parameter->name().starts_with("classifier.");
    tensors.emplace_back((is_head ? "" : "bert.") + parameter->name(), parameter->value());
  }
  write_checkpoint(folder, config, model.backend(), tensors);
}

void save_encoder(const std::filesystem::path& folder, const SequenceClassifier& model) {
  BertConfig config = model.config();
  config.architectures = {"BertModel"};
  config.labels.clear();
  config.problem_type.clear();
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->role() != ParameterRole::Encoder) continue;
    tensors.emplace_back(parameter->name(), parameter->value());
  }
  write_checkpoint(folder, config, model.backend(), tensors);
}

}  // namespace basis
