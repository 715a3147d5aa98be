#include "spectral/adapter_method.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "nn/dropout_sites.h"
#include "spectral/adapter_plan.h"
#include "spectral/leading_svd.h"
#include "spectral/matrix_parallel.h"
#include "tensor/transfer.h"

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

bool has_factors(AdapterMethod::Kind kind) {
  return has_alpha(kind) || has_basis_choice(kind) || kind == AdapterMethod::Kind::Vera;
}

bool has_alpha(AdapterMethod::Kind kind) {
  using Kind = AdapterMethod::Kind;
  return kind == Kind::Lora || kind == Kind::RsLora || kind == Kind::Pissa || kind == Kind::LoraXs;
}

bool has_basis_choice(AdapterMethod::Kind kind) {
  return kind == AdapterMethod::Kind::Spectral || kind == AdapterMethod::Kind::Pica;
}

std::vector<MatrixKind> targets_of(const AdapterMethod& method) {
  std::vector<MatrixKind> targets;
  for (const MatrixKind kind : all_matrix_kinds) {
    const bool is_named = std::count(method.targets.begin(), method.targets.end(), kind) > 0;
    if (method.targets.empty() || is_named) targets.push_back(kind);
  }
  return targets;
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

namespace {

/// Makes the factors of one method, matrix by matrix.
class Attacher {
 public:
  Attacher(Backend& backend, Allocator& allocator, SequenceClassifier& model,
           const AdapterMethod& method, const BasisSource& basis_source)
      : backend_(backend),
        allocator_(allocator),
        model_(model),
        method_(method),
        basis_source_(basis_source),
        dtype_(model.parameters().at("classifier.weight").value().dtype()) {}

  struct Place {
    Linear* linear;
    AdaptedWeight weight;
  };

  /// Bases are computed a matrix a thread, a few matrices ahead of the factors made of them, since
  /// those of all matrices at once may be gigabytes.
  void fill_all(const std::vector<Place>& places) {
    const auto ahead = static_cast<std::size_t>(2 * concurrent_matrices(0));
    for (std::size_t first = 0; first < places.size(); first += ahead) {
      const std::size_t count = std::min(ahead, places.size() - first);
      const std::span<const Place> some(places.data() + first, count);
      const std::vector<Basis> bases =
          needs_basis(method_.kind) ? bases_of(some) : std::vector<Basis>(count);
      for (std::size_t i = 0; i < count; ++i) fill(some[i], bases[i]);
    }
  }

 private:
  std::vector<Basis> bases_of(std::span<const Place> places) const {
    std::vector<Basis> bases(places.size());
    std::vector<HostWeight> weights;
    for (const Place& place : places) {
      const Parameter& weight = place.linear->weight();
      weights.push_back({weight.name(), to_host(backend_, weight.value())});
    }
    for_each_on_threads(places.size(), static_cast<int>(places.size()), [&](std::size_t i) {
      const std::int64_t k = rank_on(method_, weights[i].name, weights[i].value.shape());
      bases[i] = basis_source_(weights[i], method_.basis, k, method_.seed);
    });
    return bases;
  }

  void fill(const Place& place, const Basis& basis) {
    Adapter adapter;
    for (const TermPlan& term : plan_adapter(method_, place.weight)) {
      FactorProduct product{term.scale, {}};
      for (const FactorPlan& factor : from_the_input(term)) {
        Parameter& parameter = parameter_of(factor, basis, term.scale);
        product.factors.insert(product.factors.begin(), {factor.kind, &parameter});
      }
      adapter.terms.push_back(std::move(product));
    }
    adapter.input_dropout = make_dropout(
        method_.dropout,
        dropout_sites::adapter(place.weight.layer, static_cast<std::uint32_t>(place.weight.kind)));
    adapter.path = path_of(place.weight, adapter);
    place.linear->set_adapter(std::make_shared<const Adapter>(std::move(adapter)));
  }

  /// Made at the first weight that has it; the others share it.
  Parameter& parameter_of(const FactorPlan& factor, const Basis& basis, double scale) {
    if (Parameter* shared = model_.parameters().find(factor.name)) return *shared;
    Parameter& parameter = model_.parameters().create(factor.name, start_of(factor, basis, scale),
                                                      ParameterRole::Adapter, true);
    parameter.set_trainable(factor.is_trained);
    if (factor.kind == Factor::Kind::Band) {
      const std::int64_t d = (factor.shape[0] - 1) / 2;
      parameter.set_padding(d * (d + 1));
    }
    return parameter;
  }

  Tensor start_of(const FactorPlan& factor, const Basis& basis, double scale) {
    switch (factor.start) {
      case FactorStart::Zeros:
        return filled(factor.shape, 0);
      case FactorStart::Tenth:
        return filled(factor.shape, 0.1);
      case FactorStart::Tiny:
        return random_tensor(backend_, allocator_, factor.shape, dtype_, method_.seed, factor.name,
                             1e-5);
      case FactorStart::KaimingUniform:
        return uniform_tensor(backend_, allocator_, factor.shape, dtype_, method_.seed, factor.name,
                              1 / std::sqrt(static_cast<double>(factor.shape[1])));
      case FactorStart::Shared:
        return corner_of_shared(factor);
      case FactorStart::Left:
        return to_device(basis.u);
      case FactorStart::Right:
        return to_device(transpose(basis.v));
      case FactorStart::ScaledRight:
        return to_device(transpose(scale_columns(basis.v, basis.sigma)));
      case FactorStart::RootLeft:
        return to_device(scale_columns(basis.u, roots(basis.sigma, std::abs(scale))));
      case FactorStart::RootRight:
        return to_device(transpose(scale_columns(basis.v, roots(basis.sigma, std::abs(scale)))));
    }
    throw InternalError("unknown start");
  }

  static std::vector<double> roots(std::vector<double> sigma, double scale) {
    for (double& value : sigma) value = std::sqrt(value / scale);
    return sigma;
  }

  /// The same numbers at every size: drawn whole and cut.
  Tensor corner_of_shared(const FactorPlan& factor) {
    const std::string stream = factor.name.substr(0, factor.name.rfind('_'));
    const double bound = std::sqrt(6 / static_cast<double>(factor.whole[1]));
    const Matrix whole =
        to_matrix(to_host(backend_, uniform_tensor(backend_, allocator_, factor.whole, dtype_,
                                                   method_.seed, stream, bound))
                      .view());
    Matrix corner(factor.shape[0], factor.shape[1]);
    for (std::int64_t i = 0; i < corner.rows(); ++i) {
      for (std::int64_t j = 0; j < corner.columns(); ++j) corner(i, j) = whole(i, j);
    }
    return to_device(corner);
  }

  Adapter::Path path_of(const AdaptedWeight& weight, const Adapter& adapter) const {
    if (method_.apply == AdapterMethod::Apply::SidePath) return Adapter::Path::Side;
    if (method_.apply == AdapterMethod::Apply::Merged) {
      if (method_.dropout > 0) {
        throw Error(
            "an adapter with dropout on its input cannot train merged: "
            "set dropout = 0 or apply = \"side\"");
      }
      if (!adapter.is_summable()) {
        throw Error(fmt::format("a {} adapter cannot train merged: set apply = \"side\"",
                                name_of(method_.kind)));
      }
      return Adapter::Path::Merged;
    }
    if (method_.dropout > 0 || !adapter.is_summable()) return Adapter::Path::Side;
    const auto terms = static_cast<std::int64_t>(adapter.terms.size());
    const std::int64_t rank = rank_on(method_, weight.name, weight.shape);
    return cheapest_path(method_.tokens_per_step, weight.shape[0], weight.shape[1], terms * rank,
                         method_.activations);
  }

  Tensor to_device(const Matrix& matrix) {
    Tensor value = empty({matrix.rows(), matrix.columns()});
    const std::vector<double>& elements = matrix.elements();
    if (dtype_ == DType::F64) {
      copy_to_device<double>(backend_, elements, value);
    } else {
      copy_to_device<float>(backend_, std::vector<float>(elements.begin(), elements.end()), value);
    }
    return value;
  }
  Tensor empty(const Shape& shape) {
    return Tensor::allocate(allocator_, shape, dtype_, backend_.device());
  }
  Tensor filled(const Shape& shape, double value) {
    Tensor tensor = empty(shape);
    backend_.fill(value, tensor.view());
    return tensor;
  }

  Backend& backend_;
  Allocator& allocator_;
  SequenceClassifier& model_;
  const AdapterMethod& method_;
  const BasisSource& basis_source_;
  DType dtype_;
};

/// A pooler that the mean-pooling head never calls has no gradient.
bool is_unused_pooler(const SequenceClassifier& model, const Parameter& parameter) {
  return model.config().head != "pooler" && parameter.name().starts_with("pooler.");
}

bool trains(const SequenceClassifier& model, AdapterMethod::Kind kind, const Parameter& parameter) {
  if (parameter.role() == ParameterRole::Head) return true;
  if (is_unused_pooler(model, parameter)) return false;
  if (kind == AdapterMethod::Kind::Full) return true;
  return trains_of_encoder(kind, parameter.name());
}

template <class Visit>
void for_each_matrix(SequenceClassifier& model, const Visit& visit) {
  std::vector<EncoderLayer>& layers = model.bert().encoder().layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const MatrixKind kind : all_matrix_kinds) {
      visit(layers[i].matrix(kind), static_cast<std::int64_t>(i), kind);
    }
  }
}

}  // namespace

void attach(Backend& backend, Allocator& allocator, SequenceClassifier& model,
            const AdapterMethod& method, const BasisSource& basis_source) {
  for_each_matrix(model, [](Linear& linear, std::int64_t, MatrixKind) {
    if (linear.adapter() != nullptr)
      throw Error("the model has adapters already: merge them first");
  });
  for (const auto& parameter : model.parameters().all()) {
    parameter->set_trainable(trains(model, method.kind, *parameter));
  }
  if (!has_factors(method.kind)) return;
  std::vector<EncoderLayer>& layers = model.bert().encoder().layers;
  std::vector<Attacher::Place> places;
  for (const AdaptedWeight& weight : adapted_weights(model, method)) {
    EncoderLayer& layer = layers[static_cast<std::size_t>(weight.layer)];
    places.push_back({&layer.matrix(weight.kind), weight});
  }
  Attacher(backend, allocator, model, method, basis_source).fill_all(places);
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
  for_each_matrix(model, [&](Linear& linear, std::int64_t, MatrixKind) {
    if (linear.adapter() != nullptr) count.adapted += linear.weight().count();
  });
  return count;
}

MergedAdapters::MergedAdapters(Backend& backend, Allocator& allocator, SequenceClassifier& model) {
  for_each_matrix(model, [&](Linear& linear, std::int64_t, MatrixKind) {
    if (linear.adapter() == nullptr) return;
    const std::shared_ptr<const Adapter> adapter = linear.shared_adapter();
    const Tensor original = linear.weight().value();
    Context context{backend, allocator, nullptr, false, nullptr, original.dtype()};
    linear.weight().set_value(adapter->merged_weight(context, constant(original)).value);
    linear.set_adapter(nullptr);
    originals_.push_back({&linear, original, adapter});
  });
}

void MergedAdapters::unmerge() {
  for (const Original& original : originals_) {
    original.linear->weight().set_value(original.weight);
    original.linear->set_adapter(original.adapter);
  }
  originals_.clear();
}

}  // namespace basis
