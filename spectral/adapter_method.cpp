#include "spectral/adapter_method.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "nn/dropout_sites.h"
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
    case AdapterMethod::Kind::Spectral:
      return "spectral";
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

std::int64_t rank_on(const AdapterMethod& method, const std::string& weight, const Shape& shape) {
  const std::int64_t full = std::min(shape[0], shape[1]);
  const std::int64_t rank = method.rank == 0 ? full : method.rank;
  if (rank < 1 || rank > full) {
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
        basis_source_(basis_source) {}

  /// One matrix of the model that gets an adapter.
  struct Place {
    Linear* linear;
    std::int64_t layer;
    MatrixKind kind;
  };

  /// Bases are computed a matrix a thread, a few matrices ahead of the factors made of them, since
  /// those of all matrices at once may be gigabytes.
  void fill_all(const std::vector<Place>& places) {
    const auto ahead = static_cast<std::size_t>(2 * concurrent_matrices(0));
    for (std::size_t first = 0; first < places.size(); first += ahead) {
      const std::size_t count = std::min(ahead, places.size() - first);
      const std::span<const Place> some(places.data() + first, count);
      std::vector<Basis> bases = method_.kind == AdapterMethod::Kind::Spectral
                                     ? bases_of(some)
                                     : std::vector<Basis>(count);
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
    Linear& linear = *place.linear;
    rank_ = rank_on(method_, linear.weight().name(), linear.weight().shape());
    Adapter adapter;
    adapter.terms.push_back(method_.kind == AdapterMethod::Kind::Lora ? lora(linear)
                                                                      : spectral(linear, basis));
    adapter.input_dropout =
        make_dropout(method_.dropout,
                     dropout_sites::adapter(place.layer, static_cast<std::uint32_t>(place.kind)));
    adapter.path = path_of(linear);
    linear.set_adapter(std::make_shared<const Adapter>(std::move(adapter)));
  }

  FactorProduct lora(const Linear& linear) {
    const std::int64_t r = rank_;
    const double scale = method_.alpha > 0 ? method_.alpha / static_cast<double>(r) : 1;
    Parameter& a = trained(linear, "lora_A", kaiming_uniform(linear, r));
    Parameter& b = trained(linear, "lora_B", zeros(linear, {linear.outputs(), r}));
    return {scale, {{Factor::Kind::Dense, &b}, {Factor::Kind::Dense, &a}}};
  }

  FactorProduct spectral(const Linear& linear, const Basis& basis) {
    const std::int64_t k = rank_;
    Parameter& u = frozen(linear, "spectral_U", basis.u);
    Parameter& v = frozen(linear, "spectral_V", transpose(basis.v));
    return {1, {{Factor::Kind::Dense, &u}, coefficients(linear, k), {Factor::Kind::Dense, &v}}};
  }

  Factor coefficients(const Linear& linear, std::int64_t k) {
    switch (method_.form) {
      case AdapterMethod::Form::Diagonal:
        return {Factor::Kind::Diagonal, &trained(linear, "spectral_diagonal", zeros(linear, {k}))};
      case AdapterMethod::Form::Core:
        return {Factor::Kind::Dense, &trained(linear, "spectral_core", zeros(linear, {k, k}))};
      case AdapterMethod::Form::Band: {
        const std::int64_t d = method_.bandwidth;
        if (d < 0 || d >= k) {
          throw Error(
              fmt::format("bandwidth {} does not fit rank {}: choose 0 to {}", d, k, k - 1));
        }
        Parameter& band = trained(linear, "spectral_band", zeros(linear, {2 * d + 1, k}));
        band.set_padding(d * (d + 1));
        return {Factor::Kind::Band, &band};
      }
    }
    throw InternalError("unknown form");
  }

  Adapter::Path path_of(const Linear& linear) const {
    if (method_.apply == AdapterMethod::Apply::SidePath) return Adapter::Path::Side;
    if (method_.apply == AdapterMethod::Apply::Merged) {
      if (method_.dropout > 0) {
        throw Error(
            "an adapter with dropout on its input cannot train merged: "
            "set dropout = 0 or apply = \"side\"");
      }
      return Adapter::Path::Merged;
    }
    if (method_.dropout > 0) return Adapter::Path::Side;
    return cheapest_path(method_.tokens_per_step, linear.outputs(), linear.inputs(), rank_,
                         method_.activations);
  }

  static std::string base_name(const Linear& linear) {
    std::string name = linear.weight().name();
    name.erase(name.size() - std::string(".weight").size());
    return name;
  }

  Parameter& create(const Linear& linear, const char* what, Tensor value) {
    return model_.parameters().create(base_name(linear) + "." + what, std::move(value),
                                      ParameterRole::Adapter, true);
  }
  Parameter& trained(const Linear& linear, const char* what, Tensor value) {
    Parameter& parameter = create(linear, what, std::move(value));
    parameter.set_trainable(true);
    return parameter;
  }
  Parameter& frozen(const Linear& linear, const char* what, const Matrix& matrix) {
    Tensor value = empty(linear, {matrix.rows(), matrix.columns()});
    const std::vector<double>& elements = matrix.elements();
    if (value.dtype() == DType::F64) {
      copy_to_device<double>(backend_, elements, value);
    } else {
      copy_to_device<float>(backend_, std::vector<float>(elements.begin(), elements.end()), value);
    }
    return create(linear, what, std::move(value));
  }

  Tensor empty(const Linear& linear, const Shape& shape) {
    return Tensor::allocate(allocator_, shape, linear.weight().value().dtype(), backend_.device());
  }
  Tensor zeros(const Linear& linear, const Shape& shape) {
    Tensor value = empty(linear, shape);
    backend_.fill(0, value.view());
    return value;
  }
  /// Kaiming-uniform with a = sqrt(5), PyTorch's default for linear layers: ±1 / sqrt(in).
  Tensor kaiming_uniform(const Linear& linear, std::int64_t r) {
    return uniform_tensor(
        backend_, allocator_, {r, linear.inputs()}, linear.weight().value().dtype(), method_.seed,
        base_name(linear) + ".lora_A", 1 / std::sqrt(static_cast<double>(linear.inputs())));
  }

  Backend& backend_;
  Allocator& allocator_;
  SequenceClassifier& model_;
  const AdapterMethod& method_;
  const BasisSource& basis_source_;
  std::int64_t rank_ = 0;  // of the matrix at hand
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
  if (method.kind != AdapterMethod::Kind::Lora && method.kind != AdapterMethod::Kind::Spectral) {
    return;
  }
  std::vector<Attacher::Place> places;
  for_each_matrix(model, [&](Linear& linear, std::int64_t layer, MatrixKind kind) {
    const bool is_target =
        method.targets.empty() ||
        std::find(method.targets.begin(), method.targets.end(), kind) != method.targets.end();
    if (is_target) places.push_back({&linear, layer, kind});
  });
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
