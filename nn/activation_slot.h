#pragma once

#include <memory>

#include "autograd/context.h"
#include "nn/parameter.h"

namespace basis {

/// Curvature Tuning's function (arXiv 2502.07783; METHODS.md 1) with a β and a c for each channel.
struct CurvatureFunction {
  Parameter* beta = nullptr;  // (n)
  Parameter* c = nullptr;     // (n)
  /// Whether they are what the logistic function makes β and c of: how they train.
  bool goes_through_sigmoid = false;
};

/// A layer's activation: its model's own, or Curvature Tuning's in its place.
struct ActivationSlot {
  Activation own = Activation::GeluErf;
  std::shared_ptr<const CurvatureFunction> curvature;

  /// f(x + bias).   x: (T, n)   bias: (n) or absent   returns (T, n)
  Variable forward(Context&, const Variable& x, const Variable& bias) const;
};

}  // namespace basis
