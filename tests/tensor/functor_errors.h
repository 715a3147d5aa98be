#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <ostream>

#include "tensor/cpu/functors.h"

namespace basis {

// The functions of functors.h with the error that each states, against the C library's in f64,
// whose own error is 2^-29 of an f32's last place. Where a function is a constant, or a few terms
// of its series, to f64's precision its truth is that: the library would take most of the time
// there.

/// Below 2^-8 the terms of the series that are left out are less than 2^-51 of the first.
inline constexpr double small = 0x1p-8;

struct ExponentialError {
  static constexpr double bound = 1;
  static constexpr bool is_absolute = false;
  static float value(float x) { return exponential(x); }
  static double truth(double x) {
    if (x > 89) return std::numeric_limits<double>::infinity();
    if (x < -104) return 0;
    return std::fabs(x) < small ? 1 + x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5))))
                                : std::exp(x);
  }
};

struct ExponentialWithoutOverflowError {
  static constexpr double bound = 1;
  static constexpr bool is_absolute = false;
  static float value(float x) { return x < 88 ? exponential_without_overflow(x) : exponential(x); }
  static double truth(double x) {
    return x < 126 * -0.69314718055994530942 ? 0 : ExponentialError::truth(x);
  }
};

struct HyperbolicTangentError {
  static constexpr double bound = 1.4;
  static constexpr bool is_absolute = false;
  static float value(float x) { return hyperbolic_tangent(x); }
  static double truth(double x) {
    if (std::fabs(x) > 20) return std::copysign(1, x);
    const double s = x * x;
    return std::fabs(x) < small ? x * (1 - s / 3 + 2 * s * s / 15) : std::tanh(x);
  }
};

struct LogarithmOfOnePlusError {
  static constexpr double bound = 2.1;
  static constexpr bool is_absolute = false;
  static bool is_argument(double x) { return x >= 0 && x <= 1; }
  static float value(float x) { return is_argument(x) ? logarithm_of_one_plus(x) : x; }
  static double truth(double x) {
    if (!is_argument(x)) return x;
    return x < small ? x * (1 - x / 2 + x * x / 3 - x * x * x / 4 + x * x * x * x / 5)
                     : std::log1p(x);
  }
};

inline constexpr double normal_density_at_0 = 0.39894228040143267794;

struct NormalMassError {
  static constexpr double bound = 2.3 * static_cast<double>(std::numeric_limits<float>::epsilon());
  static constexpr bool is_absolute = true;
  static float value(float x) { return normal_at(x).below; }
  static double truth(double x) {
    if (std::fabs(x) > 9) return x > 0 ? 1 : 0;  // 1e-19 off, of a bound of 2e-7
    const double s = x * x;
    return std::fabs(x) < small ? 0.5 + normal_density_at_0 * x * (1 - s / 6 + s * s / 40)
                                : 0.5 * std::erfc(-0.70710678118654752440 * x);
  }
};

struct NormalDensityError {
  static constexpr double bound = 0.5 * static_cast<double>(std::numeric_limits<float>::epsilon());
  static constexpr bool is_absolute = true;
  static float value(float x) { return normal_at(x).density; }
  static double truth(double x) {
    if (std::fabs(x) > 9) return 0;
    const double y = 0.5 * x * x;
    return normal_density_at_0 * (std::fabs(x) < small ? 1 - y + y * y / 2 : std::exp(-y));
  }
};

/// The largest error of a function and where it is. NaN counts as infinite unless it is the truth.
struct WorstError {
  double error = 0;  // absolute, or in units of the last place of the truth
  std::uint32_t bits = 0;

  void add(double other, std::uint32_t at) {
    if (!(other <= error)) *this = {std::isnan(other) ? HUGE_VAL : other, at};
  }
  friend std::ostream& operator<<(std::ostream& out, const WorstError& worst) {
    return out << worst.error << " at " << std::bit_cast<float>(worst.bits);
  }
};

/// The distance of f32's neighbours around x.
inline double last_place(double x) {
  const auto exponent = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(x) >> 52 & 0x7FF);
  const auto place = static_cast<std::uint64_t>(std::max<std::int64_t>(exponent, 1023 - 126) - 23);
  return std::bit_cast<double>(place << 52);
}

/// Over the bit patterns first, first + step, ... below `end`.
template <class Function>
WorstError worst_error(std::uint64_t first, std::uint64_t end, std::uint64_t step) {
  WorstError worst;
  for (std::uint64_t pattern = first; pattern < end; pattern += step) {
    const auto bits = static_cast<std::uint32_t>(pattern);
    const auto x = std::bit_cast<float>(bits);
    const float actual = Function::value(x);
    if (std::isnan(x)) {
      worst.add(std::isnan(actual) ? 0 : HUGE_VAL, bits);
      continue;
    }
    const double expected = Function::truth(static_cast<double>(x));
    if (actual == static_cast<float>(expected)) continue;
    const double error = std::fabs(static_cast<double>(actual) - expected);
    worst.add(Function::is_absolute ? error : error / last_place(expected), bits);
  }
  return worst;
}

inline constexpr std::uint64_t all_patterns = std::uint64_t{1} << 32;

}  // namespace basis
