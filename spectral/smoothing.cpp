#include "spectral/smoothing.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

/// Half the width of the empirical Bernstein interval.
double bernstein_width(const std::vector<double>& scores, double a) {
  const double deviation = standard_deviation(scores);
  const auto m = static_cast<double>(scores.size());
  const double log_term = std::log(2 / a);
  return std::sqrt(2 * deviation * deviation * log_term / m) + 7 * log_term / (3 * (m - 1));
}

/// The largest σ up to which every value stays within the tolerance; 0 where the first does not.
double last_within(const std::vector<double>& sigmas, const std::vector<double>& drops,
                   double tolerance) {
  double last = 0;
  for (std::size_t i = 0; i < sigmas.size() && drops[i] <= tolerance; ++i) last = sigmas[i];
  return last;
}

}  // namespace

double normal_distribution(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

double normal_quantile(double probability) {
  if (!(probability > 0 && probability < 1)) {
    throw Error(fmt::format("normal_quantile: {} is not between 0 and 1", probability));
  }
  // Bisection: Φ is monotone, and 200 halvings of [-40, 40] leave nothing.
  double low = -40, high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (normal_distribution(middle) < probability ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double bernstein_lower(const std::vector<double>& scores, double a) {
  return std::max(0.0, mean(scores) - bernstein_width(scores, a));
}

double bernstein_upper(const std::vector<double>& scores, double a) {
  return std::min(1.0, mean(scores) + bernstein_width(scores, a));
}

double certified_score(double p, double distance, double sigma) {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  return normal_distribution(normal_quantile(p) - distance / sigma);
}

double certified_radius(double p, double q, double sigma) {
  if (p <= q || p <= 0 || q >= 1) return 0;
  if (p >= 1 || q <= 0) throw Error("certified_radius: p and q lie between 0 and 1");
  return sigma * (normal_quantile(p) - normal_quantile(q));
}

Basin basin_of(const std::vector<double>& sigmas, const std::vector<std::vector<double>>& drops,
               double tolerance, double confidence) {
  if (sigmas.size() != drops.size() || sigmas.empty()) {
    throw Error(
        fmt::format("basin_of: {} sizes of noise and drops at {}", sigmas.size(), drops.size()));
  }
  std::vector<double> middle, low, high;
  for (const std::vector<double>& draws : drops) {
    const Interval drop = t_interval(draws, confidence);
    middle.push_back(drop.estimate);
    low.push_back(drop.low);
    high.push_back(drop.high);
  }
  Basin basin;
  basin.radius = {last_within(sigmas, middle, tolerance), last_within(sigmas, high, tolerance),
                  last_within(sigmas, low, tolerance)};
  basin.is_past_grid = basin.radius.estimate == sigmas.back();
  return basin;
}

}  // namespace basis
