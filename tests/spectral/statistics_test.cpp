#include "spectral/statistics.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

// Expected values of this file: scipy 1.x, stats.t.ppf, special.betainc, stats.t.cdf,
// stats.ttest_1samp and ttest_ind(equal_var=False).confidence_interval, stats.gmean.

TEST(Statistics, QuantilesOfTAgreeWithScipy) {
  struct Case {
    double probability, degrees, expected;
  };
  for (const Case& c : {Case{0.975, 1, 12.706204736174694},
                        {0.975, 2, 4.302652729749462},
                        {0.975, 4, 2.7764451051977934},
                        {0.95, 4, 2.1318467863266495},
                        {0.995, 9, 3.249835541592126},
                        {0.6, 3.7, 0.27216446429206953},
                        {0.975, 10000.0, 1.960201239890626},
                        {0.0125, 2.5, -4.863905554317852},
                        {0.999999, 5, 24.771029720372493},
                        {0.975, 0.7, 36.611415031588656},
                        {0.5, 3, 0}}) {
    EXPECT_NEAR(t_quantile(c.probability, c.degrees), c.expected,
                1e-10 * std::max(1.0, std::abs(c.expected)))
        << c.probability << ", " << c.degrees;
  }
}

TEST(Statistics, TheIncompleteBetaFunctionAgreesWithScipy) {
  struct Case {
    double a, b, x, expected;
  };
  for (const Case& c : {Case{0.5, 0.5, 0.3, 0.36901011956554536},
                        {2.0, 3.0, 0.5, 0.6875},
                        {2.5, 0.5, 0.99, 0.8310822789720563},
                        {100.0, 0.5, 0.97, 0.013697876866621621},
                        {30.0, 40.0, 0.4, 0.31814380259056413},
                        {0.1, 5.0, 1e-06, 0.307288374999505},
                        {5000.0, 0.5, 0.9998, 0.15728882758981746},
                        {2, 3, 0, 0},
                        {2, 3, 1, 1}}) {
    // log Γ(5000) is 4e4: its rounding alone is 1e-11.
    EXPECT_NEAR(incomplete_beta(c.a, c.b, c.x), c.expected, 2e-11 * c.expected)
        << c.a << ", " << c.x;
  }
  EXPECT_THROW(incomplete_beta(0, 1, 0.5), Error);
  EXPECT_THROW(incomplete_beta(1, 1, 1.5), Error);
}

TEST(Statistics, TheDistributionOfTAgreesWithScipy) {
  EXPECT_NEAR(t_distribution(-2.3, 4), 0.04146951855619118, 1e-14);
  EXPECT_NEAR(t_distribution(0.7, 11), 0.7507677671528018, 1e-14);
  EXPECT_NEAR(t_distribution(35, 3), 0.9999743574155506, 1e-14);
  EXPECT_EQ(t_distribution(0, 3), 0.5);
}

const std::vector<double> five = {0.81, 0.84, 0.79, 0.83, 0.86};
const std::vector<double> four = {0.78, 0.80, 0.77, 0.81};

TEST(Statistics, IntervalsAgreeWithScipy) {
  EXPECT_NEAR(standard_deviation(five), 0.02701851217221256, 1e-15);
  const Interval one = t_interval(five);
  EXPECT_NEAR(one.estimate, 0.826, 1e-15);
  EXPECT_NEAR(one.low, 0.7924520861507335, 1e-13);
  EXPECT_NEAR(one.high, 0.8595479138492664, 1e-13);
  const Interval difference = welch_interval(five, four, 0.9);
  EXPECT_NEAR(difference.estimate, 0.036, 1e-15);
  EXPECT_NEAR(difference.low, 0.007233860589623841, 1e-13);
  EXPECT_NEAR(difference.high, 0.06476613941037598, 1e-13);
  EXPECT_NEAR(geometric_mean({0.5, 2.0, 3.0}), 1.4422495703074085, 1e-15);
}

TEST(Statistics, IntervalsOfEqualValuesHaveNoWidth) {
  const Interval one = t_interval({2, 2, 2});
  EXPECT_EQ(one.low, 2);
  EXPECT_EQ(one.high, 2);
  EXPECT_EQ(welch_interval({2, 2}, {1, 1}).high, 1);
}

TEST(Statistics, RefuseTooFewValuesAndWhatIsNotFinite) {
  EXPECT_THROW(mean({}), Error);
  EXPECT_THROW(mean({1, std::nan("")}), Error);
  EXPECT_THROW(standard_deviation({1}), Error);
  EXPECT_THROW(t_interval({1}), Error);
  EXPECT_THROW(t_interval({1, 2}, 1.0), Error);
  EXPECT_THROW(welch_interval({1, 2}, {1}), Error);
  EXPECT_THROW(geometric_mean({1, 0}), Error);
  EXPECT_THROW(t_quantile(1, 3), Error);
  EXPECT_THROW(t_quantile(0.9, 0), Error);
  EXPECT_THROW(crossed_bootstrap_of_mean({}, 10, 1), Error);
  EXPECT_THROW(crossed_bootstrap_of_mean({Matrix(2, 2)}, 0, 1), Error);
  EXPECT_THROW(crossed_bootstrap_of_mean({Matrix(0, 2)}, 10, 1), Error);
}

/// Scores made of an effect of the run and one of the row.
Matrix scores_of(std::int64_t runs, std::int64_t rows, double run_effect, double row_effect) {
  const Matrix of_run = random_gaussian(runs, 1, 1, 1), of_row = random_gaussian(rows, 1, 1, 2);
  Matrix scores(runs, rows);
  for (std::int64_t i = 0; i < runs; ++i) {
    for (std::int64_t j = 0; j < rows; ++j) {
      scores(i, j) = run_effect * of_run(i, 0) + row_effect * of_row(j, 0);
    }
  }
  return scores;
}

double width(const Interval& interval) {
  return interval.high - interval.low;
}

TEST(CrossedBootstrap, DrawsRunsAndRowsBoth) {
  // A mean over n drawn of n normal values has standard error s √((n-1)/n) / √n, s the sample's;
  // the 95 % interval is 3.92 of them wide. s of 100 values is known to 7 %, of the 2000-draw
  // percentile another 4 %: 25 % covers both at 3 errors.
  const std::vector<std::pair<double, double>> effects = {{1, 0}, {0, 1}, {1, 1}};
  for (const auto& [run, row] : effects) {
    const Interval interval = crossed_bootstrap_of_mean({scores_of(100, 100, run, row)}, 2000, 5);
    const double expected = 3.92 * std::sqrt((run * run + row * row) / 100);
    EXPECT_NEAR(width(interval) / expected, 1, 0.25) << run << ", " << row;
    EXPECT_LT(interval.low, interval.estimate);
    EXPECT_GT(interval.high, interval.estimate);
  }
}

TEST(CrossedBootstrap, PoolsTasksOfDifferentSize) {
  const Interval pooled = crossed_bootstrap_of_mean(
      {Matrix(2, 3, {1, 1, 1, 1, 1, 1}), Matrix(4, 1, {0, 0, 0, 0})}, 50, 1);
  EXPECT_EQ(pooled.estimate, 0.5);
  EXPECT_EQ(pooled.low, 0.5);
  EXPECT_EQ(pooled.high, 0.5);
}

TEST(CrossedBootstrap, IsAFunctionOfItsSeed) {
  const std::vector<Matrix> scores = {scores_of(5, 40, 1, 1)};
  const Interval a = crossed_bootstrap_of_mean(scores, 200, 7);
  const Interval b = crossed_bootstrap_of_mean(scores, 200, 7);
  const Interval c = crossed_bootstrap_of_mean(scores, 200, 8);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, c.low);
}

}  // namespace
}  // namespace basis
