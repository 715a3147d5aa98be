// What Curvature Tuning's function is near to (arXiv 2502.07783).
#include "tensor/cpu/curvature.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/tensor/reference_functions.h"

namespace basis {
namespace {

template <class T>
CurvatureGradients<T> curvature_at(T x, T beta, T c) {
  const T per_width = T(1) / Curvature<T>::width_of(beta);
  return Curvature<T>::at(x, Curvature<T>::curve(beta, c, per_width));
}

/// The largest |f - other| for x from -30 to 30 in steps of 1/1024.
template <class Other>
double largest_difference(double beta, double c, Other other) {
  double largest = 0;
  for (int i = -30 * 1024; i <= 30 * 1024; ++i) {
    const double x = i / 1024.0;
    largest = std::fmax(largest, std::fabs(curvature_at(x, beta, c).value - other(x)));
  }
  return largest;
}

TEST(Curvature, IsNearGeluWithC1AndBeta064) {
  const auto gelu = [](double x) { return value_of(Activation::GeluErf, x); };
  const double largest = largest_difference(0.64, 1, gelu);
  EXPECT_LE(largest, 0.0145);
  EXPECT_GT(largest, 0.0144);
  // beta = logistic(0.575), c = logistic(4.6): what raw numbers of three digits reach.
  const auto logistic = [](double raw) { return 1 / (1 + std::exp(-raw)); };
  EXPECT_LE(largest_difference(logistic(0.575), logistic(4.6), gelu), 0.0162);
}

TEST(Curvature, IsReluWhereBetaIs1) {
  // The bend is a millionth wide: o log 2 at 0 for c = 0.
  const auto relu = [](double x) { return x > 0 ? x : 0; };
  for (const double c : {0.0, 0.5, 1.0}) EXPECT_LE(largest_difference(1, c, relu), 1e-6 * 0.7);
  EXPECT_NEAR(curvature_at(0.0, 1.0, 0.0).value, 1e-6 * std::log(2), 1e-18);
}

TEST(Curvature, IsALineWhereBetaIs0AndCIs1) {
  EXPECT_LE(largest_difference(0, 1, [](double x) { return x / 2; }), 1e-14);
  EXPECT_EQ(curvature_at(3.0, 0.0, 1.0).by_x, 0.5);
}

TEST(Curvature, IsSoftplusWhereBetaIs0AndCIs0) {
  const double o = 1 + 1e-6;
  // 2e-9 at z = 20, where softplus becomes a line.
  EXPECT_LE(largest_difference(0, 0, [&](double x) { return o * std::log1p(std::exp(x / o)); }),
            std::exp(-20));
}

// The halves that nothing cancels in are as exact as the whole.
TEST(Curvature, KeepsItsLastPlacesInBothDtypes) {
  for (const double beta : {0.0, 0.3, 0.8, 0.999, 1.0}) {
    for (double x = -40; x < 40; x += 0.37) {
      const CurvatureGradients<double> found = curvature_at(x, beta, 0.25);
      const CurvatureReference wanted = curvature_of(x, beta, 0.25);
      const double allowed = 16 * 0x1p-52;
      // Of a tail e^-|z| by the rounding of z.
      const double tail = x < 0 ? allowed * std::fmin(-x / (1 - beta + 1e-6), 700) : 0;
      EXPECT_NEAR(found.value, wanted.value, (allowed + tail) * std::fabs(wanted.value))
          << x << " " << beta;
      EXPECT_NEAR(found.by_c, wanted.by_c, allowed * std::fabs(x)) << x << " " << beta;
    }
  }
}

}  // namespace
}  // namespace basis
