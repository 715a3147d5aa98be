#pragma once

#include "autograd/normalization.h"
#include "nn/parameter.h"

namespace basis {

/// Layer normalisation with its gain and shift (H).
struct LayerNorm {
  Parameter* gamma = nullptr;
  Parameter* beta = nullptr;
  double epsilon = 1e-12;

  /// layer_norm(dropout(x) + residual); residual may be absent.
  Variable forward(Context& context, const Variable& x, const Dropout& site,
                   const Variable& residual, const SequenceView& sequences) const {
    return residual_layer_norm(context, x, site, residual, sequences, gamma->variable(context),
                               beta->variable(context), epsilon);
  }
};

}  // namespace basis
