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

/// The factored form of METHODS.md 1, in a Linear's slot: W = W₀ + Σ s · F₁ ⋯ Fₙ. A method is an
/// initialiser of this form, not a class. PiSSA's subtracted product is a second, frozen term of
/// scale -s.
struct Adapter {
  std::vector<FactorProduct> terms;
  Dropout input_dropout;   // on the side path's input; forbids the merged form in training
  bool is_merged = false;  // forward with W itself, not by the side path: chosen once, from sizes

  /// y with Σ s · (dropout(x) Fₙᵀ) ⋯ F₁ᵀ added to its columns, written over y.
  ///   x: (T, in)   y: (T, out) of wider rows   returns y whole
  Variable add_side_path(Context&, const ColumnsOf& y, const Variable& x,
                         const SequenceView& sequences) const;
  /// W₀ + Σ s · F₁ ⋯ Fₙ as a new (out, in).   weight: (out, in)
  Variable merged_weight(Context&, const Variable& weight) const;
};

}  // namespace basis
