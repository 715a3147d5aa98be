#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "tensor/cpu/functors.h"

namespace basis {
namespace {

struct Worst {
  double ulps = 0;
  float at = 0;
};

/// The largest error of `function` in units of the last place of the true value, over f32 bit
/// patterns in steps of a prime: NaN and infinities included, signs, denormals, everything.
template <class Function, class Truth>
Worst worst_error(Function function, Truth truth) {
  Worst worst;
  constexpr std::uint64_t step = 127;
  for (std::uint64_t pattern = 0; pattern < (std::uint64_t{1} << 32); pattern += step) {
    const auto bits = static_cast<std::uint32_t>(pattern);
    float x;
    std::memcpy(&x, &bits, sizeof x);
    const float actual = function(x);
    const double expected = truth(static_cast<double>(x));
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(actual)) << x;
      continue;
    }
    const auto rounded = static_cast<float>(expected);
    if (actual == rounded) continue;
    int exponent = 0;
    std::frexp(expected, &exponent);
    const double place = std::ldexp(1.0, std::max(exponent - 24, -149));
    const double ulps = std::fabs(static_cast<double>(actual) - expected) / place;
    if (!(ulps <= worst.ulps)) worst = {ulps, x};
  }
  return worst;
}

TEST(Functors, ExponentialIsWithinItsStatedError) {
  const Worst worst =
      worst_error([](float x) { return exponential(x); }, [](double x) { return std::exp(x); });
  EXPECT_LE(worst.ulps, 1) << "at " << worst.at;
  EXPECT_EQ(exponential(0.0f), 1.0f);
  EXPECT_EQ(exponential(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_EQ(exponential(std::numeric_limits<float>::infinity()),
            std::numeric_limits<float>::infinity());
}

TEST(Functors, ErrorFunctionIsWithinItsStatedError) {
  const Worst worst =
      worst_error([](float x) { return error_function(x); }, [](double x) { return std::erf(x); });
  EXPECT_LE(worst.ulps, 1.8) << "at " << worst.at;
}

TEST(Functors, HyperbolicTangentIsWithinItsStatedError) {
  const Worst worst = worst_error([](float x) { return hyperbolic_tangent(x); },
                                  [](double x) { return std::tanh(x); });
  EXPECT_LE(worst.ulps, 1.4) << "at " << worst.at;
}

// Absolute, in units of epsilon(f32): what gelu multiplies x with.
TEST(Functors, NormalMassIsWithinTwoEpsilon) {
  double worst = 0;
  for (double x = -15; x < 15; x += 1.0 / 4096) {
    const Normal<float> normal = normal_at(static_cast<float>(x));
    const double mass = 0.5 * std::erfc(-x / std::sqrt(2.0));
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846);
    worst = std::max({worst, std::fabs(static_cast<double>(normal.below) - mass),
                      std::fabs(static_cast<double>(normal.density) - density)});
  }
  EXPECT_LE(worst, 2 * static_cast<double>(std::numeric_limits<float>::epsilon()));
}

}  // namespace
}  // namespace basis
