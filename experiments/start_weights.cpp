#include "experiments/start_weights.h"

#include <functional>
#include <optional>

#include "experiments/compute.h"
#include "spectral/matrix_parallel.h"
#include "spectral/surgery.h"
#include "spectral/svd.h"
#include "spectral/svd_basis.h"
#include "tensor/philox.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

using Alteration = std::function<Matrix(const Matrix& weight, const std::string& name)>;

Matrix scrambled(const Matrix& weight, const std::string& name, std::uint64_t seed) {
  return random_with_spectrum(singular_values(weight), weight.rows(), weight.columns(),
                              hash_of_name(name + " scrambled", seed));
}

/// Null where the weights stay as they are.
Alteration alteration_of(const MethodSettings& method, std::uint64_t seed) {
  if (method.start == "scrambled") {
    return [seed](const Matrix& weight, const std::string& name) {
      return scrambled(weight, name, seed);
    };
  }
  for (const LesionKind kind : {LesionKind::Leading, LesionKind::Trailing, LesionKind::Random}) {
    if (method.start != std::string("lesion-") + name_of(kind)) continue;
    return
        [kind, seed, share = method.lesion_energy](const Matrix& weight, const std::string& name) {
          return lesioned(svd(weight), kind, share, hash_of_name(name, seed));
        };
  }
  return nullptr;
}

}  // namespace

BertConfig start_config(const BertConfig& model, const MethodSettings& method) {
  if (!method.reads_pixels()) return model;
  constexpr std::int64_t hidden_units = 256;
  BertConfig config = model;
  config.is_perceptron = true;
  config.num_hidden_layers = method.start == "pixels-perceptron" ? 1 : 0;
  config.hidden_size = config.num_hidden_layers == 0 ? config.pixels() : hidden_units;
  config.num_attention_heads = config.intermediate_size = 0;
  return config;
}

void alter_start(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                 const MethodSettings& method, std::uint64_t seed) {
  const Alteration alteration = alteration_of(method, seed);
  if (!alteration) return;
  const std::vector<Parameter*> weights = encoder_weights(model);
  std::vector<Matrix> matrices;
  for (const Parameter* weight : weights) {
    matrices.push_back(to_matrix(to_host(backend, weight->value()).view()));
  }
  for_each_on_threads(weights.size(), 0, [&](std::size_t i) {
    matrices[i] = alteration(matrices[i], weights[i]->name());
  });
  for (std::size_t i = 0; i < weights.size(); ++i) {
    set_weight(backend, allocator, *weights[i], matrices[i]);
  }
}

std::vector<EncoderMatrix> start_matrices(const std::filesystem::path& model,
                                          const MethodSettings& method, std::uint64_t seed) {
  if (method.start == "pretrained") return encoder_matrices(model, model);
  Compute compute;
  constexpr std::int64_t any_outputs = 1;
  const auto classifier = method.start == "random"
                              ? std::make_unique<SequenceClassifier>(
                                    compute.backend(), compute.memory(), BertConfig::read(model),
                                    any_outputs, nullptr, ModelOptions{seed, DType::F32})
                              : load_classifier(compute, model, std::nullopt, any_outputs);
  alter_start(compute.backend(), compute.memory(), *classifier, method, seed);
  std::vector<EncoderMatrix> matrices;
  for (const Parameter* weight : encoder_weights(*classifier)) {
    matrices.push_back({weight->name(), to_host(compute.backend(), weight->value())});
  }
  return matrices;
}

}  // namespace basis
