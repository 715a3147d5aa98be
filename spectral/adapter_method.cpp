#include "spectral/adapter_method.h"

#include <algorithm>

#include <fmt/format.h>

#include "spectral/leading_svd.h"

namespace basis {

const char* name_of(AdapterMethod::Kind kind) {
  switch (kind) {
    case AdapterMethod::Kind::Full:
      return "full";
    case AdapterMethod::Kind::Head:
      return "head";
    case AdapterMethod::Kind::BitFit:
      return "bitfit";
    case AdapterMethod::Kind::Norms:
      return "norms";
    case AdapterMethod::Kind::Lora:
      return "lora";
    case AdapterMethod::Kind::RsLora:
      return "rslora";
    case AdapterMethod::Kind::Pissa:
      return "pissa";
    case AdapterMethod::Kind::Spectral:
      return "spectral";
    case AdapterMethod::Kind::LoraXs:
      return "lora-xs";
    case AdapterMethod::Kind::Pica:
      return "pica";
    case AdapterMethod::Kind::Vera:
      return "vera";
    case AdapterMethod::Kind::Dora:
      return "dora";
    case AdapterMethod::Kind::Ia3:
      return "ia3";
  }
  return "?";
}

bool trains_of_encoder(AdapterMethod::Kind kind, std::string_view name) {
  if (kind == AdapterMethod::Kind::BitFit) return name.ends_with(".bias");
  return kind == AdapterMethod::Kind::Norms && name.find("LayerNorm.") != std::string_view::npos;
}

const char* name_of(AdapterMethod::Form form) {
  switch (form) {
    case AdapterMethod::Form::Diagonal:
      return "diagonal";
    case AdapterMethod::Form::Band:
      return "band";
    case AdapterMethod::Form::Core:
      return "core";
  }
  return "?";
}

const char* name_of(AdapterMethod::Curvature curvature) {
  switch (curvature) {
    case AdapterMethod::Curvature::None:
      return "none";
    case AdapterMethod::Curvature::Steered:
      return "steered";
    case AdapterMethod::Curvature::Trained:
      return "trained";
  }
  return "?";
}

Basis basis_of_weight(const HostWeight& weight, BasisKind kind, std::int64_t k, std::uint64_t seed,
                      Decompositions* device) {
  // Random directions of matrices of one shape must not be the same: the name goes into the seed.
  const std::uint64_t own_seed = hash_of_name(weight.name, seed);
  const Matrix matrix = to_matrix(weight.value.view());
  const bool is_leading = kind == BasisKind::Leading;
  return select_basis(is_leading ? leading_svd(matrix, k, device) : svd(matrix, device), kind, k,
                      own_seed);
}

BasisSource basis_by_svd(Decompositions* device) {
  return [device](const HostWeight& weight, BasisKind kind, std::int64_t k, std::uint64_t seed) {
    return basis_of_weight(weight, kind, k, seed, device);
  };
}

bool has_adapter(AdapterMethod::Kind kind) {
  return has_factors(kind) || kind == AdapterMethod::Kind::Ia3;
}

bool has_factors(AdapterMethod::Kind kind) {
  return has_alpha(kind) || has_basis_choice(kind) || kind == AdapterMethod::Kind::Vera;
}

bool has_alpha(AdapterMethod::Kind kind) {
  using Kind = AdapterMethod::Kind;
  return kind == Kind::Lora || kind == Kind::RsLora || kind == Kind::Pissa ||
         kind == Kind::LoraXs || kind == Kind::Dora;
}

bool has_basis_choice(AdapterMethod::Kind kind) {
  return kind == AdapterMethod::Kind::Spectral || kind == AdapterMethod::Kind::Pica;
}

std::vector<MatrixKind> targets_of(const AdapterMethod& method) {
  if (method.targets.empty() && method.kind == AdapterMethod::Kind::Ia3) {
    return {MatrixKind::Key, MatrixKind::Value, MatrixKind::FfnOut};
  }
  std::vector<MatrixKind> targets;
  for (const MatrixKind kind : all_matrix_kinds) {
    const bool is_named = std::count(method.targets.begin(), method.targets.end(), kind) > 0;
    if (method.targets.empty() || is_named) targets.push_back(kind);
  }
  return targets;
}

bool scales_input(MatrixKind kind) {
  return kind == MatrixKind::AttentionOutput || kind == MatrixKind::FfnOut;
}

std::int64_t rank_on(const AdapterMethod& method, const std::string& weight, const Shape& shape) {
  const std::int64_t full = std::min(shape[0], shape[1]);
  const bool is_full = method.rank == 0 && method.kind == AdapterMethod::Kind::Spectral;
  const std::int64_t rank = is_full ? full : method.rank;
  const bool is_bounded = method.kind != AdapterMethod::Kind::Vera;
  if (rank < 1 || (is_bounded && rank > full)) {
    throw Error(fmt::format("rank {} is not between 1 and {}, the rank of {} {}", rank, full,
                            weight, shape.to_string()));
  }
  return rank;
}

Adapter::Path cheapest_path(std::int64_t tokens, std::int64_t out, std::int64_t in, std::int64_t k,
                            DType activations) {
  const std::int64_t skinny = 2 * tokens * k * (in + out), summing = 4 * in * out * k;
  const std::int64_t merged = 2 * tokens * in * out + summing;
  if (activations != DType::BF16 && skinny + summing < 2 * skinny) {
    return merged < skinny + summing ? Adapter::Path::Merged : Adapter::Path::Folded;
  }
  return merged < 2 * skinny ? Adapter::Path::Merged : Adapter::Path::Side;
}

TrainableCount count_trainable(SequenceClassifier& model) {
  TrainableCount count;
  for (const auto& parameter : model.parameters().all()) {
    const std::int64_t elements = parameter->count() - parameter->padding();
    // METHODS.md 1 counts a pooler with the encoder it came with, whoever uses it.
    const bool is_pooler = parameter->name().starts_with("pooler.");
    if (parameter->role() == ParameterRole::Encoder || is_pooler) count.encoder += elements;
    if (!parameter->is_trainable()) continue;
    (parameter->role() == ParameterRole::Head ? count.head : count.trained) += elements;
  }
  for (const EncoderLayer& layer : model.layers()) {
    for (const MatrixKind kind : all_matrix_kinds) {
      const Linear& linear = layer.matrix(kind);
      if (linear.adapter() != nullptr) count.adapted += linear.weight().count();
    }
  }
  return count;
}

}  // namespace basis
