#include "spectral/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

constexpr std::uint64_t bootstrap_stream = 0x424f'4f54'5354'5250;

void require_values(const char* what, const std::vector<double>& values, std::size_t least) {
  if (values.size() < least) {
    throw Error(fmt::format("{}: {} values; it needs at least {}", what, values.size(), least));
  }
  for (const double value : values) {
    if (!std::isfinite(value)) throw Error(fmt::format("{}: a value is {}", what, value));
  }
}

void require_confidence(const char* what, double confidence) {
  if (confidence > 0 && confidence < 1) return;
  throw Error(fmt::format("{}: confidence {} is not in (0, 1)", what, confidence));
}

/// The continued fraction of I_x(a, b) (DLMF 8.17.22), convergent for x < (a + 1)/(a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  constexpr int most_terms = 100000;  // about √max(a, b) are needed
  const auto away_from_zero = [](double value) { return std::abs(value) < tiny ? tiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m <= most_terms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < std::numeric_limits<double>::epsilon()) break;
  }
  return fraction;
}

/// I_x(a, b) where y = 1 - x is given apart, so that x near 1 loses nothing.
double incomplete_beta(double a, double b, double x, double y) {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  const double log_factor =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(y);
  if (x < (a + 1) / (a + b + 2)) return std::exp(log_factor) * beta_fraction(a, b, x) / a;
  return 1 - std::exp(log_factor) * beta_fraction(b, a, y) / b;
}

/// P(T > t) for t >= 0.
double t_tail(double t, double degrees) {
  const double square = t * t;
  return 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square),
                               square / (degrees + square));
}

Interval around(double estimate, double standard_error, double degrees, double confidence) {
  const double half =
      standard_error > 0 ? t_quantile((1 + confidence) / 2, degrees) * standard_error : 0;
  return {estimate, estimate - half, estimate + half};
}

std::vector<std::int64_t> everything(std::int64_t count) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

std::vector<std::int64_t> with_replacement(std::int64_t count, RandomStream& random) {
  std::vector<std::int64_t> drawn(static_cast<std::size_t>(count));
  for (std::int64_t& place : drawn) {
    place = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
  }
  return drawn;
}

/// Linear between order statistics (Hyndman and Fan's type 7, NumPy's default).
double percentile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

double mean(const std::vector<double>& values) {
  require_values("mean", values, 1);
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  require_values("standard deviation", values, 2);
  const double centre = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - centre) * (value - centre);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double geometric_mean(const std::vector<double>& values) {
  require_values("geometric mean", values, 1);
  double sum = 0;
  for (const double value : values) {
    if (value <= 0) throw Error(fmt::format("geometric mean: {} is not positive", value));
    sum += std::log(value);
  }
  return std::exp(sum / static_cast<double>(values.size()));
}

double incomplete_beta(double a, double b, double x) {
  if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) {
    throw Error(fmt::format("incomplete beta: a = {}, b = {}, x = {}", a, b, x));
  }
  return incomplete_beta(a, b, x, 1 - x);
}

double t_distribution(double t, double degrees) {
  if (!(degrees > 0) || std::isnan(t)) {
    throw Error(fmt::format("t distribution: t = {}, {} degrees of freedom", t, degrees));
  }
  if (std::isinf(t)) return t > 0 ? 1 : 0;
  return t < 0 ? t_tail(-t, degrees) : 1 - t_tail(t, degrees);
}

double t_quantile(double probability, double degrees) {
  if (!(probability > 0 && probability < 1 && degrees > 0)) {
    throw Error(
        fmt::format("t quantile: probability {}, {} degrees of freedom", probability, degrees));
  }
  if (probability == 0.5) return 0;
  const double tail = std::min(probability, 1 - probability);
  double low = 0, high = 1;
  while (t_tail(high, degrees) > tail && high < 1e300) high *= 2;
  for (int step = 0; step < 200 && high - low > 1e-16 * high; ++step) {
    const double middle = low + (high - low) / 2;
    (t_tail(middle, degrees) > tail ? low : high) = middle;
  }
  const double t = low + (high - low) / 2;
  return probability < 0.5 ? -t : t;
}

Interval t_interval(const std::vector<double>& values, double confidence) {
  require_confidence("t interval", confidence);
  const auto n = static_cast<double>(values.size());
  const double error = standard_deviation(values) / std::sqrt(n);
  return around(mean(values), error, n - 1, confidence);
}

Interval welch_interval(const std::vector<double>& a, const std::vector<double>& b,
                        double confidence) {
  require_confidence("Welch interval", confidence);
  const double sd_a = standard_deviation(a), sd_b = standard_deviation(b);
  const auto n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
  const double part_a = sd_a * sd_a / n_a, part_b = sd_b * sd_b / n_b;
  const double variance = part_a + part_b;
  const double degrees =
      variance * variance / (part_a * part_a / (n_a - 1) + part_b * part_b / (n_b - 1));
  return around(mean(a) - mean(b), std::sqrt(variance), degrees, confidence);
}

Interval crossed_bootstrap(const std::vector<CrossedSize>& tasks,
                           const std::function<double(const std::vector<Resample>&)>& statistic,
                           int draws, std::uint64_t seed, double confidence) {
  require_confidence("crossed bootstrap", confidence);
  if (tasks.empty() || draws < 1) {
    throw Error(fmt::format("crossed bootstrap: {} tasks, {} draws; give at least one of each",
                            tasks.size(), draws));
  }
  std::vector<Resample> samples;
  for (const CrossedSize& size : tasks) {
    if (size.seeds < 1 || size.rows < 1) {
      throw Error(
          fmt::format("crossed bootstrap: a task of {} seeds and {} rows", size.seeds, size.rows));
    }
    samples.push_back({everything(size.seeds), everything(size.rows)});
  }
  const double estimate = statistic(samples);
  RandomStream random(seed, bootstrap_stream);
  std::vector<double> values;
  for (int draw = 0; draw < draws; ++draw) {
    for (std::size_t task = 0; task < tasks.size(); ++task) {
      samples[task] = {with_replacement(tasks[task].seeds, random),
                       with_replacement(tasks[task].rows, random)};
    }
    values.push_back(statistic(samples));
  }
  require_values("crossed bootstrap", values, 1);
  std::sort(values.begin(), values.end());
  return {estimate, percentile(values, (1 - confidence) / 2),
          percentile(values, (1 + confidence) / 2)};
}

Interval crossed_bootstrap_of_mean(const std::vector<Matrix>& scores, int draws, std::uint64_t seed,
                                   double confidence) {
  std::vector<CrossedSize> tasks;
  for (const Matrix& task : scores) tasks.push_back({task.rows(), task.columns()});
  const auto pooled = [&](const std::vector<Resample>& samples) {
    double sum = 0;
    for (std::size_t task = 0; task < samples.size(); ++task) {
      double total = 0;
      for (const std::int64_t run : samples[task].seeds) {
        const double* row = scores[task].row(run);
        for (const std::int64_t place : samples[task].rows) total += row[place];
      }
      sum += total / static_cast<double>(samples[task].seeds.size() * samples[task].rows.size());
    }
    return sum / static_cast<double>(samples.size());
  };
  return crossed_bootstrap(tasks, pooled, draws, seed, confidence);
}

}  // namespace basis
