#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "spectral/matrix.h"

namespace basis {

// Statistics of studies (METHODS 2, "Statistics"): the unit of replication is the run, never the
// matrix. Every function throws Error when there are too few values or one is not finite.

struct Interval {
  double estimate = 0;
  double low = 0;
  double high = 0;
};

double mean(const std::vector<double>& values);
/// With n - 1 in the denominator; needs two values.
double standard_deviation(const std::vector<double>& values);
/// exp of the mean logarithm. Throws Error for a value that is not positive.
double geometric_mean(const std::vector<double>& values);

/// A mean that grows, of the values that are finite; NaN without any.
class RunningMean {
 public:
  void add(double value) {
    if (!std::isfinite(value)) return;
    sum_ += value;
    ++count_;
  }
  double value() const { return sum_ / static_cast<double>(count_); }
  std::int64_t count() const { return count_; }

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

/// Regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1, by its continued fraction
/// (Lentz's method); relative error about 1e-13 for a, b up to 1e4.
double incomplete_beta(double a, double b, double x);
/// P(T <= t) of Student's t with `degrees` > 0 of freedom, which need not be whole.
double t_distribution(double t, double degrees);
/// The t with P(T <= t) = probability, which lies in (0, 1).
double t_quantile(double probability, double degrees);

/// mean ± t sd/√n, two-sided at `confidence` in (0, 1); needs two values.
Interval t_interval(const std::vector<double>& values, double confidence = 0.95);
/// mean(a) - mean(b) with Welch's degrees of freedom; needs two values on each side.
Interval welch_interval(const std::vector<double>& a, const std::vector<double>& b,
                        double confidence = 0.95);

/// Seeds and dev rows drawn with replacement for one task.
struct Resample {
  std::vector<std::int64_t> seeds;
  std::vector<std::int64_t> rows;
};
/// How many there are to draw from.
struct CrossedSize {
  std::int64_t seeds = 0;
  std::int64_t rows = 0;
};

/// Percentile interval of a statistic when seeds and dev rows of every task are drawn anew,
/// independently of each other. The statistic sees one Resample a task, and once, for the estimate,
/// every seed and row in order. `draws` numbered by Philox under `seed`.
Interval crossed_bootstrap(const std::vector<CrossedSize>& tasks,
                           const std::function<double(const std::vector<Resample>&)>& statistic,
                           int draws, std::uint64_t seed, double confidence = 0.95);

/// The same for the mean over tasks of the mean score. scores[task]: (seeds x rows), a score or a
/// paired difference of two methods for every run and dev row.
Interval crossed_bootstrap_of_mean(const std::vector<Matrix>& scores, int draws, std::uint64_t seed,
                                   double confidence = 0.95);

}  // namespace basis
