#include "spectral/smoothing.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

// Tables: Φ(1.959963985) = 0.975, Φ(-1.281551566) = 0.1.
TEST(Smoothing, NormalDistributionAndItsInverse) {
  EXPECT_NEAR(normal_distribution(1.959963984540054), 0.975, 1e-15);
  EXPECT_NEAR(normal_quantile(0.1), -1.2815515655446004, 1e-12);
  for (const double p : {1e-9, 0.01, 0.3, 0.5, 0.999}) {
    EXPECT_NEAR(normal_distribution(normal_quantile(p)), p, 1e-14 + 1e-12 * p);
  }
  EXPECT_THROW(normal_quantile(0), Error);
  EXPECT_THROW(normal_quantile(1), Error);
}

TEST(Smoothing, BernsteinIsTheFormulaByHand) {
  // Mean 0.5, variance 1/3 (with m - 1), m = 4, a = 0.05: ln 40 = 3.6888794541139363.
  const std::vector<double> scores = {0, 0, 1, 1};
  const double width = std::sqrt(2.0 / 3 * 3.6888794541139363 / 4) + 7 * 3.6888794541139363 / 9;
  EXPECT_EQ(bernstein_lower(scores, 0.05), 0) << width;
  std::vector<double> many;
  for (int i = 0; i < 1000; ++i) many.push_back(i % 4 == 0 ? 0.5 : 1);
  const double deviation = std::sqrt(0.25 * 0.75 * 0.25 * 1000 / 999);
  const double half =
      std::sqrt(2 * deviation * deviation * std::log(40.0) / 1000) + 7 * std::log(40.0) / (3 * 999);
  EXPECT_NEAR(bernstein_lower(many, 0.05), 0.875 - half, 1e-12);
  EXPECT_NEAR(bernstein_upper(many, 0.05), 0.875 + half, 1e-12);
}

TEST(Smoothing, BernsteinCoversAtItsLevel) {
  RandomStream random(3, 1);
  int missed = 0;
  for (int repeat = 0; repeat < 400; ++repeat) {
    std::vector<double> scores;
    for (int i = 0; i < 400; ++i) scores.push_back(random.uniform() < 0.9 ? 1 : 0);
    missed += bernstein_lower(scores, 0.05) > 0.9 ? 1 : 0;
  }
  EXPECT_LE(missed, 20);  // 5 % of 400; the bound is conservative
}

TEST(Smoothing, CertifiesWhatAHalfSpaceJustReaches) {
  // The worst score of mean p under N(0, σ²): 1 where x < σ Φ⁻¹(p). Moved by d it is the bound.
  const double p = 0.9, sigma = 0.5, distance = 0.3;
  const double threshold = sigma * normal_quantile(p);
  EXPECT_NEAR(certified_score(p, distance, sigma),
              normal_distribution((threshold - distance) / sigma), 1e-12);
  const double radius = certified_radius(p, 0.7, sigma);
  EXPECT_NEAR(certified_score(p, radius, sigma), 0.7, 1e-12);
  EXPECT_EQ(certified_radius(0.6, 0.7, sigma), 0);
  EXPECT_EQ(certified_score(0, 1, 1), 0);
}

TEST(Smoothing, ABasinEndsAtTheFirstDropThatIsTooLarge) {
  const std::vector<double> sigmas = {1, 2, 4, 8};
  const auto around = [](double mean, double spread) {
    return std::vector<double>{mean - spread, mean, mean + spread};
  };
  // The last would be within the tolerance again: the basin has ended before.
  const Basin basin = basin_of(
      sigmas, {around(0, 0.001), around(0.04, 0.001), around(0.2, 0.001), around(0, 0.001)}, 0.05);
  EXPECT_EQ(basin.radius.estimate, 2);
  EXPECT_EQ(basin.radius.low, 2);
  EXPECT_EQ(basin.radius.high, 2);
  EXPECT_FALSE(basin.is_past_grid);
  // t for two degrees of freedom is 4.30: an edge of 0.04 ± 4.3 · 0.01/√3 is within and beyond.
  const Basin wide = basin_of({1, 2}, {around(0.04, 0.01), around(0.06, 0.01)}, 0.05);
  EXPECT_EQ(wide.radius.low, 0);
  EXPECT_EQ(wide.radius.estimate, 1);
  EXPECT_EQ(wide.radius.high, 2);
  EXPECT_TRUE(basin_of({1}, {around(0, 0.01)}, 0.05).is_past_grid);
  EXPECT_EQ(basin_of({1}, {around(1, 0.01)}, 0.05).radius.estimate, 0);
}

}  // namespace
}  // namespace basis
