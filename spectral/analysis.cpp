#include "spectral/analysis.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "spectral/matrix_parallel.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

/// Every matrix draws its own control, whatever its place; in 48 bits.
std::uint64_t purpose_of(const std::string& name) {
  const std::uint64_t hash = hash_of_name(name);
  return (hash ^ (hash >> 48)) & 0xffff'ffff'ffff;
}

void require_pair(const MatrixPair& pair) {
  if (pair.before.rows() != pair.after.rows() || pair.before.columns() != pair.after.columns()) {
    throw ShapeError(
        fmt::format("spectrum: {} is {} before and {} after; compare checkpoints of one "
                    "architecture",
                    pair.name, pair.before.to_string(), pair.after.to_string()));
  }
  for (const Matrix* matrix : {&pair.before, &pair.after}) {
    if (is_finite(*matrix)) continue;
    throw Error(fmt::format("spectrum: {} has an element that is not finite {}", pair.name,
                            matrix == &pair.before ? "before" : "after"));
  }
}

Curve first_order_control(const Curve& expected, const Curve& chance) {
  Curve control(expected.size());
  for (std::size_t k = 0; k < control.size(); ++k) {
    control[k] = std::min(expected[k], 1 - chance[k]);
  }
  return control;
}

/// What random changes would do to one side.
struct Controls {
  Curve expected, gaussian, haar;
};

SideReport report_side(const BasisProducts& products, const Matrix& before, const Matrix& after,
                       Controls controls, const AnalysisOptions& options) {
  const std::int64_t r = before.columns();
  SideReport side;
  side.overlap = overlap_curve(products);
  side.overlap_corrected = corrected_overlap(side.overlap, products.d);
  side.chance = overlap_chance(products.d, r);
  side.rotation = rotation_curve(products);
  side.rotation_expected = std::move(controls.expected);
  side.rotation_gaussian = std::move(controls.gaussian);
  side.rotation_haar = std::move(controls.haar);
  side.ratio =
      rotation_ratio(side.rotation, side.rotation_gaussian.empty()
                                        ? first_order_control(side.rotation_expected, side.chance)
                                        : side.rotation_gaussian);
  for (const std::int64_t k : options.angle_ranks) {
    if (k <= r) side.angles.push_back({k, principal_angles(before, after, k)});
  }
  side.intruders = intruder_share(products);
  return side;
}

/// Seconds since the last call, or since it was made.
class Lap {
 public:
  double operator()() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace

AnalysisTimes& AnalysisTimes::operator+=(const AnalysisTimes& other) {
  decompositions += other.decompositions;
  change += other.change;
  basis += other.basis;
  controls += other.controls;
  curves += other.curves;
  return *this;
}

MatrixReport analyse_matrix(const MatrixPair& pair, const AnalysisOptions& options,
                            const Svd* decomposition_before,
                            const std::vector<double>* matched_chance) {
  require_pair(pair);
  const SingleThreadedBlas one_thread;
  Lap lap;
  const Svd own = decomposition_before ? Svd{} : svd(pair.before, options.device);
  const Svd& before = decomposition_before ? *decomposition_before : own;
  ensure(before.out() == pair.before.rows() && before.in() == pair.before.columns(),
         "the given decomposition is of the pair's first matrix");
  MatrixReport report;
  report.times.decompositions = lap();
  const Matrix change = subtract(pair.after, pair.before);
  report.name = pair.name;
  report.out = before.out();
  report.in = before.in();
  report.change_norm = frobenius_norm(change);
  const double norm_before = frobenius_norm(pair.before);
  report.change = norm_before > 0 ? report.change_norm / norm_before : 0;
  const std::vector<double> change_sigma = singular_values(change);
  report.change_spectral_norm = change_sigma.front();
  report.times.change = lap();
  report.energy = energy_in_basis(before, change);
  report.sigma = before.sigma;
  report.times.basis = lap();

  const Svd after = svd(pair.after, options.device);
  report.times.decompositions += lap();
  const BasisProducts u = basis_products(before.u, after.u);
  const BasisProducts v = basis_products(before.v, after.v);
  report.times.basis += lap();
  SidedCurves gaussian, haar;
  if (options.gaussian_draws > 0) {
    gaussian =
        simulate_gaussian_rotation(pair.before, before, report.change_norm, options.gaussian_draws,
                                   options.seed, purpose_of(pair.name), options.device);
  }
  if (options.haar_draws > 0) {
    haar = simulate_haar_rotation(pair.before, before, change_sigma, options.haar_draws,
                                  hash_of_name(pair.name, options.seed), options.device);
  }
  report.times.controls = lap();
  const auto expected = [&](std::int64_t d) {
    return expected_gaussian_rotation(before.sigma, d, report.out, report.in, report.change_norm);
  };
  report.u = report_side(u, before.u, after.u,
                         {expected(report.out), std::move(gaussian.u), std::move(haar.u)}, options);
  report.v = report_side(v, before.v, after.v,
                         {expected(report.in), std::move(gaussian.v), std::move(haar.v)}, options);
  report.times.curves = lap();
  report.sigma_after = after.sigma;
  report.sigma_shift = spectrum_shift(before.sigma, after.sigma);
  report.wedin = wedin_bound(before.sigma, after.sigma, report.change_spectral_norm);
  report.stability = joint_stability(u, v);
  report.matched_chance =
      matched_chance
          ? *matched_chance
          : matched_stability_chance(report.out, report.in, options.chance_draws, options.seed);
  report.groups = gap_groups(before.sigma, report.change_spectral_norm, u, v);
  report.times.basis += lap();
  return report;
}

namespace {

/// The shared state of the threads of one `analyse`.
class Stream {
 public:
  Stream(const PairSource& source, const AnalysisOptions& options, const ReportSink& sink)
      : source_(source), options_(options), sink_(sink) {}

  /// Takes and analyses pairs until there are none. On a failure the other threads stop as well.
  void work() {
    try {
      while (auto next = take()) {
        const std::vector<double>& chance = chance_of(next->second);
        deliver(next->first, analyse_matrix(next->second, options_, nullptr, &chance));
      }
    } catch (...) {
      has_failed_ = true;
      throw;
    }
  }

 private:
  using Numbered = std::pair<std::int64_t, MatrixPair>;

  std::optional<Numbered> take() {
    const std::lock_guard lock(source_mutex_);
    if (has_ended_ || has_failed_) return std::nullopt;
    std::optional<MatrixPair> pair = source_();
    if (!pair) {
      has_ended_ = true;
      return std::nullopt;
    }
    return Numbered{taken_++, std::move(*pair)};
  }

  const std::vector<double>& chance_of(const MatrixPair& pair) {
    const std::lock_guard lock(chance_mutex_);
    const auto [place, is_new] = chances_.try_emplace({pair.before.rows(), pair.before.columns()});
    if (is_new) {
      place->second = matched_stability_chance(pair.before.rows(), pair.before.columns(),
                                               options_.chance_draws, options_.seed);
    }
    return place->second;
  }

  void deliver(std::int64_t number, MatrixReport report) {
    const std::lock_guard lock(sink_mutex_);
    waiting_.emplace(number, std::move(report));
    for (auto next = waiting_.find(delivered_); next != waiting_.end();
         next = waiting_.find(delivered_)) {
      sink_(std::move(next->second));
      waiting_.erase(next);
      ++delivered_;
    }
  }

  const PairSource& source_;
  const AnalysisOptions& options_;
  const ReportSink& sink_;
  std::mutex source_mutex_, chance_mutex_, sink_mutex_;
  std::atomic<bool> has_failed_ = false;
  bool has_ended_ = false;
  std::int64_t taken_ = 0;
  std::int64_t delivered_ = 0;
  std::map<std::int64_t, MatrixReport> waiting_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<double>> chances_;
};

}  // namespace

void analyse(const PairSource& source, const AnalysisOptions& options, const ReportSink& sink) {
  Stream stream(source, options, sink);
  run_on_threads(concurrent_matrices(options.concurrent), [&] { stream.work(); });
}

}  // namespace basis
