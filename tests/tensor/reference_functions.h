#pragma once

#include <cmath>
#include <numbers>

#include "tensor/backend.h"

// Functions of one element in f64, by the formulas of their papers.

namespace basis {

inline double value_of(Activation kind, double x) {
  switch (kind) {
    case Activation::GeluErf:
      return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case Activation::GeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::Relu:
      return x > 0 ? x : 0;
    case Activation::Tanh:
      return std::tanh(x);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return 0;
}

inline double derivative_of(Activation kind, double x) {
  switch (kind) {
    case Activation::GeluErf:
      return 0.5 * std::erfc(-x / std::numbers::sqrt2) +
             x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    case Activation::GeluTanh: {
      const double c = std::sqrt(2 / std::numbers::pi);
      const double t = std::tanh(c * (x + 0.044715 * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
    }
    case Activation::Relu:
      return x > 0 ? 1 : 0;
    case Activation::Tanh:
      return 1 - std::tanh(x) * std::tanh(x);
    case Activation::Sigmoid:
      return 1 / ((1 + std::exp(-x)) * (1 + std::exp(x)));
  }
  return 0;
}

}  // namespace basis
