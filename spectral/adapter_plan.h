// not installed
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spectral/adapter_method.h"

namespace basis {

/// The table of METHODS.md 1 as data: which factors a method makes on a weight, what they are
/// called, which of them train and how they start. What attaches an adapter, what counts its
/// tensors and what reads its file all ask here.

/// How a factor's elements start. U, σ and V are the basis of the weight.
enum class FactorStart : std::uint8_t {
  Zeros,
  Tenth,           // 0.1: VeRA's d
  Ones,            // IA3's scales
  Tiny,            // normal, of standard deviation 1e-5: LoRA-XS's R
  KaimingUniform,  // ±1 / √in, what √5 makes of it: LoRA's A
  Shared,          // a corner of one uniform ±√(6 / columns) of shape `whole`: VeRA's A and B
  Left,            // U
  Right,           // Vᵀ
  ScaledRight,     // diag(σ) Vᵀ
  RootLeft,        // U diag(√(σ / s)), s the scale of the term
  RootRight,       // diag(√(σ / s)) Vᵀ
  RowNorms,        // ‖w_i‖ of the weight's rows: DoRA's m
};

struct FactorPlan {
  std::string name;  // of its parameter
  Shape shape;       // of its parameter
  FactorStart start = FactorStart::Zeros;
  bool is_trained = false;
  Factor::Kind kind = Factor::Kind::Dense;
  Shape whole = {};  // of Shared
};

/// s · F₁ ⋯ Fₙ.
struct TermPlan {
  double scale = 1;
  std::vector<FactorPlan> factors;
};

/// The factors from Fₙ to F₁, the order in which their parameters are made.
std::vector<FactorPlan> from_the_input(const TermPlan& term);

/// A trained vector on rows or columns.
struct ScalePlan {
  LayerScale::Of of = LayerScale::Of::Nothing;
  FactorPlan vector;
};

struct AdapterPlan {
  std::vector<TermPlan> terms;
  std::optional<ScalePlan> scale;

  /// All that becomes a parameter, in the order in which that is made and stored.
  std::vector<FactorPlan> parameters() const;
};

/// A matrix that gets an adapter.
struct AdaptedWeight {
  std::int64_t layer = 0;
  MatrixKind kind = MatrixKind::Query;
  std::string name;  // "encoder.layer.0.attention.self.query.weight"
  Shape shape;       // (out, in)
  Shape largest;     // the largest out and the largest in among all that get one

  /// The name without ".weight", which names of factors hang on.
  std::string module() const;
};

/// All of them in `model`, layer by layer; none for a method without factors.
std::vector<AdaptedWeight> adapted_weights(const SequenceClassifier& model,
                                           const AdapterMethod& method);

/// The adapter on one of them. Throws Error, naming the weight, for a rank or a
/// bandwidth that does not fit. A factor that several weights share comes with one name from each.
AdapterPlan plan_adapter(const AdapterMethod& method, const AdaptedWeight& weight);

/// Whether a method's factors start from a basis of the weight.
bool needs_basis(AdapterMethod::Kind kind);

}  // namespace basis
