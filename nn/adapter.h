#pragma once

#include <cstdint>
#include <vector>

#include "autograd/context.h"
#include "nn/parameter.h"

namespace basis {

/// One factor of an adapter's product, F: (rows, columns).
struct Factor {
  enum class Kind : std::uint8_t {
    Dense,     // parameter (rows, columns)
    Diagonal,  // parameter (k): a square diagonal
    Band,      // parameter (2 d + 1, k): a square band, compact as in band_to_dense
  };
  Kind kind = Kind::Dense;
  Parameter* parameter = nullptr;  // frozen or trained; may be shared between layers
};

/// s · F₁ ⋯ Fₙ, from (out) on the left to (in) on the right; n ≤ 4.
struct FactorProduct {
  double scale = 1;
  std::vector<Factor> factors;
};

/// The second form of METHODS.md 1: a vector that scales a layer. W is the weight with the products
/// added.
struct LayerScale {
  enum class Of : std::uint8_t {
    Nothing,
    Inputs,    // (x ∘ v) Wᵀ + b: W's columns
    Outputs,   // (x Wᵀ + b) ∘ v: W's rows, and b
    RowNorms,  // (x Wᵀ) ∘ (v_i / ‖w_i‖) + b: v are the norms of W's rows
  };
  Of of = Of::Nothing;
  Parameter* vector = nullptr;  // (in) of Inputs, else (out)
};

/// What stands in a Linear's slot: W = W₀ + Σ s · F₁ ⋯ Fₙ, and a scale. A method is an initialiser
/// of these two forms of METHODS.md 1, not a class. PiSSA's subtracted product is a second, frozen
/// term of scale -s.
struct Adapter {
  /// How a step computes y = x Wᵀ. Chosen once, from sizes.
  enum class Path : std::uint8_t {
    Side,    // x W₀ᵀ + s · (x Fₙᵀ) ⋯ F₁ᵀ, factor by factor
    Folded,  // x Wᵀ and dy W with W summed up; gradients of the factors as on the side path
    Merged,  // the same product, gradients of the factors from dW = dyᵀ x
  };

  std::vector<FactorProduct> terms;
  LayerScale scale;
  Dropout input_dropout;  // on the side path's input; forbids the other paths in training
  Path path = Path::Side;

  /// Whether W is summed up for a product: where that is the path. Not in bf16, whose W would round
  /// away what the factors have learnt.
  bool is_folded(const Context&) const;
  /// Whether a step can multiply with W summed up: where every term starts and ends with a dense
  /// factor and nothing is scaled.
  bool is_summable() const;
  /// y with Σ s · (dropout(x) Fₙᵀ) ⋯ F₁ᵀ added to its columns, written over y.
  ///   x: (T, in)   y: (T, out) of wider rows   returns y whole
  Variable add_side_path(Context&, const ColumnsOf& y, const Variable& x,
                         const SequenceView& sequences) const;
  /// y, a product with the summed-up W, with the gradients that it owes to the factors.
  Variable with_factor_gradients(Context&, const ColumnsOf& y, const Variable& x) const;
  /// W₀ + Σ s · F₁ ⋯ Fₙ as a new (out, in), of terms that end with a dense factor.
  ///   weight: (out, in)
  Variable merged_weight(Context&, const Variable& weight) const;
  /// x as the layer multiplies it.
  Variable scaled_input(Context&, const Variable& x) const;
  /// y's columns scaled, written over y. Of RowNorms they come without the bias and get it here
  /// (absent: not at all).
  ///   weight: W₀, (out, in)   y: (T, out) of wider rows   returns y whole
  Variable scale_output(Context&, const ColumnsOf& y, const Variable& weight,
                        const Variable& bias) const;
  /// The bias for who adds it to an output that was scaled without it.
  Variable scaled_bias(Context&, const Variable& bias) const;
};

}  // namespace basis
