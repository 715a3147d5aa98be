#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/backend.h"
#include "tensor/philox.h"

// Functions of one element in f64, by the formulas of their papers; and masks.

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

/// Curvature Tuning's function (arXiv 2502.07783) and its derivatives.
struct CurvatureReference {
  double value, by_x, by_beta, by_c;
};

inline CurvatureReference curvature_of(double x, double beta, double c) {
  // Beyond f64: below, s (1 - s) and z t - softplus cancel.
  using Number = long double;
  const Number one = 1, width = one - beta + Number(1e-6);
  const Number s = one / (one + std::exp(-beta * x / width));
  const Number slope = s * (one / (one + std::exp(beta * x / width)));
  const Number z = x / width;
  const Number softplus = z > 20 ? z : std::log1p(std::exp(z));
  const Number t = z > 20 ? one : one / (one + std::exp(-z));
  const auto number = [](Number value) { return static_cast<double>(value); };
  return {number(c * s * x + (one - c) * width * softplus),
          number(c * (s + beta * x / width * slope) + (one - c) * t),
          number(c * z * z * slope * (width + beta) + (one - c) * (z * t - softplus)),
          // 1 - s where x would cancel
          number(z > 20 ? -x / (one + std::exp(beta * x / width)) : s * x - width * softplus)};
}

/// What an element is multiplied with: 0 when dropped, else the scale. As tensor/philox.h defines
/// it.
inline double mask(Dropout dropout, const StepState* state, std::int64_t example,
                   std::uint64_t element) {
  if (!dropout.is_active()) return 1;
  const PhiloxCounter words = philox4x32(
      philox_counter(static_cast<std::uint32_t>(element / 8), static_cast<std::uint32_t>(example),
                     dropout.site, static_cast<std::uint32_t>(state->step)),
      philox_key(state->seed));
  const std::uint64_t lane = element % 8;
  const std::uint32_t bits = (words.word[lane / 2] >> (16 * (lane % 2))) & 0xFFFFu;
  return bits < dropout.threshold ? 0 : dropout.scale();
}

/// Element i of a stream of N(0, 1) (Backend::add_noise): Box and Muller on words 0 and 1 of the
/// call that serves elements 4 k to 4 k + 3, then on words 2 and 3. The angle of word w is
/// 2 pi w / 2^32 but for where in its quadrant it begins, pi / 4 earlier.
inline double reference_noise(const StepState& state, std::uint64_t stream, std::int64_t i) {
  const PhiloxCounter counter = {{static_cast<std::uint32_t>(i / 4), 0,
                                  static_cast<std::uint32_t>(state.step >> 32),
                                  static_cast<std::uint32_t>(state.step)}};
  const PhiloxCounter drawn = philox4x32(counter, philox_key(state.seed ^ stream));
  const std::int64_t pair = i % 4 / 2;
  const double share = std::ldexp(std::max(0.5, static_cast<double>(drawn.word[2 * pair])), -32);
  const std::uint32_t angle_word = drawn.word[2 * pair + 1];
  const double quadrant = angle_word >> 30;
  const auto place = static_cast<double>(static_cast<std::int32_t>(angle_word << 2));
  const double angle = (quadrant + std::ldexp(place, -32)) * (std::numbers::pi / 2);
  return std::sqrt(-2 * std::log(share)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

inline double row_mask(Dropout dropout, const StepState* state, const SequenceView& sequences,
                       std::int64_t row, std::int64_t channel, std::int64_t width) {
  std::int64_t example = sequences.first_example + row;
  std::int64_t position = 0;
  if (sequences.offsets != nullptr) {
    const std::int32_t b = sequences.sequence_of_row[row];
    example = sequences.first_example + b;
    position = row - sequences.offsets[b];
  }
  return mask(dropout, state, example,
              row_element(static_cast<std::uint64_t>(position), static_cast<std::uint64_t>(channel),
                          static_cast<std::uint64_t>(width)));
}

}  // namespace basis
