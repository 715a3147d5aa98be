#include "spectral/adapter_plan.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace basis {
namespace {

using Kind = AdapterMethod::Kind;
using Form = AdapterMethod::Form;

/// Builds the plan of one weight.
class Planner {
 public:
  Planner(const AdapterMethod& method, const AdaptedWeight& weight)
      : method_(method),
        out_(weight.shape[0]),
        in_(weight.shape[1]),
        largest_(weight.largest),
        kind_(weight.kind),
        rank_(has_factors(method.kind) ? rank_on(method, weight.name, weight.shape) : 0),
        base_(weight.module()),
        group_(fmt::format("encoder.shared.{}", name_of(weight.kind))) {}

  AdapterPlan plan() const {
    switch (method_.kind) {
      case Kind::Lora:
      case Kind::RsLora:
        return {{lora()}, {}};
      case Kind::Pissa:
        return {pissa(), {}};
      case Kind::Spectral:
        return {{spectral()}, {}};
      case Kind::LoraXs:
        return {{lora_xs()}, {}};
      case Kind::Pica:
        return {{pica()}, {}};
      case Kind::Vera:
        return {{vera()}, {}};
      case Kind::Dora:
        return {{lora()}, magnitudes()};
      case Kind::Ia3:
        return {{}, ia3()};
      case Kind::Full:
      case Kind::Head:
      case Kind::BitFit:
      case Kind::Norms:
        return {};
    }
    throw InternalError("unknown method");
  }

 private:
  /// α / r, of rsLoRA α / √r; 1 without an α.
  double scale() const {
    if (method_.alpha <= 0) return 1;
    const auto r = static_cast<double>(rank_);
    return method_.alpha / (method_.kind == Kind::RsLora ? std::sqrt(r) : r);
  }

  static FactorPlan frozen(std::string name, Shape shape, FactorStart start) {
    return {std::move(name), shape, start, false};
  }
  static FactorPlan trained(std::string name, Shape shape, FactorStart start,
                            Factor::Kind kind = Factor::Kind::Dense) {
    return {std::move(name), shape, start, true, kind};
  }

  TermPlan lora() const {
    return {scale(),
            {trained(base_ + ".lora_B", {out_, rank_}, FactorStart::Zeros),
             trained(base_ + ".lora_A", {rank_, in_}, FactorStart::KaimingUniform)}};
  }

  std::vector<TermPlan> pissa() const {
    const Shape b = {out_, rank_}, a = {rank_, in_};
    return {{scale(),
             {trained(base_ + ".pissa_B", b, FactorStart::RootLeft),
              trained(base_ + ".pissa_A", a, FactorStart::RootRight)}},
            {-scale(),
             {frozen(base_ + ".pissa_B0", b, FactorStart::RootLeft),
              frozen(base_ + ".pissa_A0", a, FactorStart::RootRight)}}};
  }

  TermPlan spectral() const {
    return {1,
            {frozen(base_ + ".spectral_U", {out_, rank_}, FactorStart::Left), coefficients(),
             frozen(base_ + ".spectral_V", {rank_, in_}, FactorStart::Right)}};
  }

  FactorPlan coefficients() const {
    const std::int64_t d = method_.bandwidth;
    switch (method_.form) {
      case Form::Diagonal:
        return trained(base_ + ".spectral_diagonal", {rank_}, FactorStart::Zeros,
                       Factor::Kind::Diagonal);
      case Form::Core:
        return trained(base_ + ".spectral_core", {rank_, rank_}, FactorStart::Zeros);
      case Form::Band:
        if (d < 0 || d >= rank_) {
          throw Error(fmt::format("bandwidth {} does not fit rank {}: choose 0 to {}", d, rank_,
                                  rank_ - 1));
        }
        return trained(base_ + ".spectral_band", {2 * d + 1, rank_}, FactorStart::Zeros,
                       Factor::Kind::Band);
    }
    throw InternalError("unknown form");
  }

  TermPlan lora_xs() const {
    return {scale(),
            {frozen(base_ + ".lora_xs_U", {out_, rank_}, FactorStart::Left),
             trained(base_ + ".lora_xs_R", {rank_, rank_}, FactorStart::Tiny),
             frozen(base_ + ".lora_xs_V", {rank_, in_}, FactorStart::ScaledRight)}};
  }

  TermPlan pica() const {
    const std::string& owner = method_.shares_factors ? group_ : base_;
    return {1,
            {trained(owner + ".pica_M", {out_, rank_}, FactorStart::Zeros),
             frozen(base_ + ".pica_P", {rank_, in_}, FactorStart::Right)}};
  }

  /// One A and one B for all weights; each takes the corner of its size, which those of one size
  /// share.
  TermPlan vera() const {
    FactorPlan b =
        frozen(fmt::format("encoder.shared.vera_B_{}", out_), {out_, rank_}, FactorStart::Shared);
    b.whole = {largest_[0], rank_};
    FactorPlan a =
        frozen(fmt::format("encoder.shared.vera_A_{}", in_), {rank_, in_}, FactorStart::Shared);
    a.whole = {rank_, largest_[1]};
    return {1,
            {trained(base_ + ".vera_b", {out_}, FactorStart::Zeros, Factor::Kind::Diagonal), b,
             trained(base_ + ".vera_d", {rank_}, FactorStart::Tenth, Factor::Kind::Diagonal), a}};
  }

  ScalePlan magnitudes() const {
    return {LayerScale::Of::RowNorms,
            trained(base_ + ".lora_magnitude_vector", {out_}, FactorStart::RowNorms)};
  }

  /// Shapes as PEFT stores them.
  ScalePlan ia3() const {
    const bool is_input = scales_input(kind_);
    return {
        is_input ? LayerScale::Of::Inputs : LayerScale::Of::Outputs,
        trained(base_ + ".ia3_l", is_input ? Shape{1, in_} : Shape{out_, 1}, FactorStart::Ones)};
  }

  const AdapterMethod& method_;
  std::int64_t out_, in_;
  Shape largest_;
  MatrixKind kind_;
  std::int64_t rank_;
  std::string base_, group_;
};

}  // namespace

std::string AdaptedWeight::module() const {
  return name.substr(0, name.size() - std::string(".weight").size());
}

std::vector<AdaptedWeight> adapted_weights(const SequenceClassifier& model,
                                           const AdapterMethod& method) {
  std::vector<AdaptedWeight> weights;
  if (!has_adapter(method.kind)) return weights;
  if (model.config().is_perceptron) {
    throw Error(
        fmt::format("a {} adapter needs the matrices of a transformer, and the model is a "
                    "perceptron: choose full, head or bitfit",
                    name_of(method.kind)));
  }
  Shape largest = {0, 0};
  for (std::int64_t layer = 0; layer < model.config().num_hidden_layers; ++layer) {
    for (const MatrixKind kind : targets_of(method)) {
      const std::string name = bert_matrix_name(layer, kind) + ".weight";
      const Shape shape = model.parameters().at(name).shape();
      largest = {std::max(largest[0], shape[0]), std::max(largest[1], shape[1])};
      weights.push_back({layer, kind, name, shape, {}});
    }
  }
  for (AdaptedWeight& weight : weights) weight.largest = largest;
  return weights;
}

AdapterPlan plan_adapter(const AdapterMethod& method, const AdaptedWeight& weight) {
  return Planner(method, weight).plan();
}

std::vector<FactorPlan> from_the_input(const TermPlan& term) {
  return {term.factors.rbegin(), term.factors.rend()};
}

std::vector<FactorPlan> AdapterPlan::parameters() const {
  std::vector<FactorPlan> all;
  for (const TermPlan& term : terms) {
    const std::vector<FactorPlan> factors = from_the_input(term);
    all.insert(all.end(), factors.begin(), factors.end());
  }
  if (scale) all.push_back(scale->vector);
  return all;
}

bool needs_basis(AdapterMethod::Kind kind) {
  return kind == Kind::Spectral || kind == Kind::LoraXs || kind == Kind::Pissa ||
         kind == Kind::Pica;
}

}  // namespace basis
