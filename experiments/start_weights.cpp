#include "experiments/start_weights.h"

#include <atomic>

#include "experiments/compute.h"
#include "spectral/matrix_parallel.h"
#include "spectral/svd.h"
#include "spectral/svd_basis.h"
#include "tensor/philox.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

std::vector<Parameter*> matrices_of(SequenceClassifier& model) {
  std::vector<Parameter*> weights;
  for (EncoderLayer& layer : model.bert().encoder().layers) {
    for (const MatrixKind kind : all_matrix_kinds) weights.push_back(&layer.matrix(kind).weight());
  }
  return weights;
}

Matrix scrambled(const Matrix& weight, const std::string& name, std::uint64_t seed) {
  return random_with_spectrum(singular_values(weight), weight.rows(), weight.columns(),
                              hash_of_name(name + " scrambled", seed));
}

}  // namespace

void scramble(Backend& backend, Allocator& allocator, SequenceClassifier& model,
              std::uint64_t seed) {
  const std::vector<Parameter*> weights = matrices_of(model);
  std::vector<Matrix> before, after(weights.size());
  for (const Parameter* weight : weights) {
    before.push_back(to_matrix(to_host(backend, weight->value()).view()));
  }
  std::atomic<std::size_t> next = 0;
  run_on_threads(concurrent_matrices(0), [&] {
    const SingleThreadedBlas one_thread;
    for (std::size_t i = next++; i < weights.size(); i = next++) {
      after[i] = scrambled(before[i], weights[i]->name(), seed);
    }
  });
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::vector<double>& elements = after[i].elements();
    const Tensor& old = weights[i]->value();
    const bool is_f64 = old.dtype() == DType::F64;
    weights[i]->set_value(
        is_f64
            ? to_device<double>(backend, allocator, elements, old.shape())
            : to_device<float>(backend, allocator,
                               std::vector<float>(elements.begin(), elements.end()), old.shape()));
  }
}

std::vector<EncoderMatrix> start_matrices(const std::filesystem::path& model,
                                          const std::string& start, std::uint64_t seed) {
  if (start == "pretrained") return encoder_matrices(model, model);
  Compute compute;
  BertConfig config = BertConfig::read(model);
  constexpr std::int64_t any_outputs = 1;
  config.labels.clear();
  std::optional<Checkpoint> checkpoint;
  if (start == "scrambled") checkpoint.emplace(model);
  SequenceClassifier classifier(compute.backend(), compute.memory(), config, any_outputs,
                                checkpoint ? &*checkpoint : nullptr,
                                ModelOptions{seed, DType::F32});
  if (start == "scrambled") scramble(compute.backend(), compute.memory(), classifier, seed);
  std::vector<EncoderMatrix> matrices;
  for (const Parameter* weight : matrices_of(classifier)) {
    matrices.push_back({weight->name(), to_host(compute.backend(), weight->value())});
  }
  return matrices;
}

}  // namespace basis
