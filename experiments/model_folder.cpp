#include "experiments/model_folder.h"

#include <fmt/format.h>

#include "nn/checkpoint.h"
#include "spectral/adapter_file.h"
#include "spectral/matrix_transfer.h"
#include "spectral/merged_adapters.h"

namespace basis {

namespace {

/// Rows of the folder's own classifier; 0 where it has none.
std::int64_t outputs_in(const std::filesystem::path& folder) {
  const Checkpoint checkpoint(folder);
  return checkpoint.contains("classifier.weight") ? checkpoint.shape("classifier.weight")[0] : 0;
}

void expect_labels_fit(const std::filesystem::path& folder, const BertConfig& config,
                       std::int64_t outputs) {
  if (config.labels.empty() || std::ssize(config.labels) == outputs) return;
  throw Error(
      fmt::format("{}: config.json names {} labels (id2label), classifier.weight in "
                  "model.safetensors has {} rows: the two files do not belong together",
                  folder.string(), config.labels.size(), outputs));
}

std::unique_ptr<SequenceClassifier> classifier_of(Compute& compute,
                                                  const std::filesystem::path& folder,
                                                  const BertConfig& config, std::int64_t outputs) {
  Checkpoint checkpoint(folder);
  return std::make_unique<SequenceClassifier>(compute.backend(), compute.memory(), config, outputs,
                                              &checkpoint, ModelOptions{});
}

}  // namespace

bool reads_images(const std::filesystem::path& model) {
  std::error_code error;
  return std::filesystem::exists(model / "config.json", error) &&
         BertConfig::read(model).reads_patches();
}

WordPieceTokenizer load_tokenizer(const std::filesystem::path& model) {
  constexpr std::int64_t most_padding = 1024;  // Megatron's: a multiple of 128 on 8 devices
  if (reads_images(model)) {
    throw Error(fmt::format("{}: the model reads patches of images (basis_patch_size), not text",
                            model.string()));
  }
  WordPieceTokenizer tokenizer = WordPieceTokenizer::load(model);
  const std::int64_t tokens = tokenizer.vocabulary_size();
  const std::int64_t embeddings = BertConfig::read(model).vocab_size;
  if (tokens <= embeddings && embeddings - tokens < most_padding) return tokenizer;
  throw Error(
      fmt::format("{}: the vocabulary has {} tokens, config.json says {} word embeddings "
                  "(vocab_size): {}",
                  model.string(), tokens, embeddings,
                  tokens < embeddings ? "it is cut, or another model's" : "it is another model's"));
}

std::unique_ptr<SequenceClassifier> load_bare_classifier(Compute& compute,
                                                         const std::filesystem::path& model,
                                                         const std::filesystem::path& adapter) {
  BertConfig config = BertConfig::read(model);
  const AdapterInfo info = read_adapter_info(adapter);
  config.head = info.head;
  config.labels = info.labels;
  config.problem_type = info.problem_type;
  return classifier_of(compute, model, config, info.outputs);
}

std::unique_ptr<SequenceClassifier> load_classifier(
    Compute& compute, const std::filesystem::path& model,
    const std::optional<std::filesystem::path>& adapter, std::int64_t outputs) {
  if (adapter) {
    auto classifier = load_bare_classifier(compute, model, *adapter);
    load_adapter(compute.backend(), compute.memory(), *adapter, *classifier);
    return classifier;
  }
  const BertConfig config = BertConfig::read(model);
  if (const std::int64_t own = outputs_in(model); own > 0) {
    outputs = own;
    expect_labels_fit(model, config, outputs);
  }
  if (outputs <= 0) {
    throw Error(
        fmt::format("{}: the model has no task head; fine-tune it first, or name an adapter "
                    "with --adapter",
                    model.string()));
  }
  return classifier_of(compute, model, config, outputs);
}

void expect_other_folder(const std::filesystem::path& out, const std::filesystem::path& in) {
  std::error_code missing;
  if (!std::filesystem::equivalent(out, in, missing)) return;
  throw Error(fmt::format("--out {}: this is the folder {} that is read; choose another",
                          out.string(), in.string()));
}

std::vector<Parameter*> encoder_weights(std::span<EncoderLayer> layers) {
  std::vector<Parameter*> weights;
  for (EncoderLayer& layer : layers) {
    for (const MatrixKind kind : all_matrix_kinds) weights.push_back(&layer.matrix(kind).weight());
  }
  return weights;
}

void set_weight(Backend& backend, Allocator& allocator, Parameter& weight, const Matrix& matrix) {
  weight.set_value(device_matrix(backend, allocator, matrix, weight.value().dtype()));
}

std::vector<EncoderMatrix> encoder_matrices(const std::filesystem::path& folder,
                                            const std::filesystem::path& base) {
  std::error_code ignored;
  const bool is_adapter = std::filesystem::exists(folder / "adapter_config.json", ignored);
  Compute compute;
  const auto model = is_adapter ? load_classifier(compute, base, folder)
                                : load_classifier(compute, folder, std::nullopt, 1);
  const MergedAdapters merged(compute.backend(), compute.memory(), *model,
                              MergedAdapters::Activations::Leave);
  std::vector<EncoderMatrix> matrices;
  for (const Parameter* weight : encoder_weights(*model)) {
    matrices.push_back({weight->name(), weight->value()});
  }
  return matrices;
}

}  // namespace basis
