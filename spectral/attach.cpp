#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "nn/dropout_sites.h"
#include "spectral/adapter_method.h"
#include "spectral/adapter_plan.h"
#include "spectral/curvature_tuning.h"
#include "spectral/matrix_parallel.h"
#include "spectral/matrix_transfer.h"
#include "tensor/transfer.h"

namespace basis {

namespace {

/// Makes the parameters of one method's adapters, matrix by matrix.
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
    const AdapterPlan plan = plan_adapter(method_, place.weight);
    for (const TermPlan& term : plan.terms) {
      FactorProduct product{term.scale, {}};
      for (const FactorPlan& factor : from_the_input(term)) {
        Parameter& parameter = parameter_of(factor, {place, basis, term.scale});
        product.factors.insert(product.factors.begin(), {factor.kind, &parameter});
      }
      adapter.terms.push_back(std::move(product));
    }
    if (plan.scale) {
      adapter.scale = {plan.scale->of, &parameter_of(plan.scale->vector, {place, basis, 1})};
    }
    adapter.input_dropout = make_dropout(
        method_.dropout,
        dropout_sites::adapter(place.weight.layer, static_cast<std::uint32_t>(place.weight.kind)));
    adapter.path = path_of(place.weight, adapter);
    place.linear->set_adapter(std::make_shared<const Adapter>(std::move(adapter)));
  }

  /// What starts may be made of.
  struct Source {
    const Place& place;
    const Basis& basis;
    double scale;  // of the term
  };

  /// Made at the first weight that has it; the others share it.
  Parameter& parameter_of(const FactorPlan& factor, const Source& source) {
    if (Parameter* shared = model_.parameters().find(factor.name)) return *shared;
    Parameter& parameter = model_.parameters().create(factor.name, start_of(factor, source),
                                                      ParameterRole::Adapter, true);
    parameter.set_trainable(factor.is_trained);
    if (factor.kind == Factor::Kind::Band) {
      const std::int64_t d = (factor.shape[0] - 1) / 2;
      parameter.set_padding(d * (d + 1));
    }
    return parameter;
  }

  Tensor start_of(const FactorPlan& factor, const Source& source) {
    const Basis& basis = source.basis;
    switch (factor.start) {
      case FactorStart::Zeros:
        return filled(factor.shape, 0);
      case FactorStart::Tenth:
        return filled(factor.shape, 0.1);
      case FactorStart::Ones:
        return filled(factor.shape, 1);
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
        return to_device(scale_columns(basis.u, roots(basis.sigma, std::abs(source.scale))));
      case FactorStart::RootRight:
        return to_device(
            transpose(scale_columns(basis.v, roots(basis.sigma, std::abs(source.scale)))));
      case FactorStart::RowNorms:
        return row_norms(source.place.linear->weight().value()).reshape(factor.shape);
    }
    throw InternalError("unknown start");
  }

  static std::vector<double> roots(std::vector<double> sigma, double scale) {
    for (double& value : sigma) value = std::sqrt(value / scale);
    return sigma;
  }

  Tensor row_norms(const Tensor& weight) {
    return to_device(Matrix(weight.shape()[0], 1, basis::row_norms(host_matrix(backend_, weight))));
  }

  /// The same numbers at every size: drawn whole and cut.
  Tensor corner_of_shared(const FactorPlan& factor) {
    const std::string stream = factor.name.substr(0, factor.name.rfind('_'));
    const double bound = std::sqrt(6 / static_cast<double>(factor.whole[1]));
    const Matrix whole = host_matrix(backend_, uniform_tensor(backend_, allocator_, factor.whole,
                                                              dtype_, method_.seed, stream, bound));
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
    return device_matrix(backend_, allocator_, matrix, dtype_);
  }
  Tensor filled(const Shape& shape, double value) {
    Tensor tensor = Tensor::allocate(allocator_, shape, dtype_, backend_.device());
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

}  // namespace

void attach(Backend& backend, Allocator& allocator, SequenceClassifier& model,
            const AdapterMethod& method, const BasisSource& basis_source) {
  for (const EncoderLayer& layer : model.layers()) {
    for (const MatrixKind kind : all_matrix_kinds) {
      if (layer.matrix(kind).adapter() == nullptr) continue;
      throw Error("the model has adapters already: merge them first");
    }
  }
  if (method.curvature != AdapterMethod::Curvature::None) {
    refuse_curvature(model, "attached twice");
    if (method.kind == AdapterMethod::Kind::Full) {
      throw Error(
          "full fine-tuning saves a model and no adapter, so it cannot keep Curvature Tuning's "
          "function: take another kind beside it");
    }
    curvature_values(model, method);  // before anything changes
  }
  const std::vector<AdaptedWeight> weights = adapted_weights(model, method);
  for (const auto& parameter : model.parameters().all()) {
    parameter->set_trainable(trains(model, method.kind, *parameter));
  }
  attach_curvature(backend, allocator, model, method);
  if (!has_adapter(method.kind)) return;
  const std::span<EncoderLayer> layers = model.layers();
  std::vector<Attacher::Place> places;
  for (const AdaptedWeight& weight : weights) {
    EncoderLayer& layer = layers[static_cast<std::size_t>(weight.layer)];
    places.push_back({&layer.matrix(weight.kind), weight});
  }
  Attacher(backend, allocator, model, method, basis_source).fill_all(places);
}

}  // namespace basis
