#include "spectral/stability.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

constexpr std::uint64_t matched_chance_stream = 0x4d41'5443'4845'4400;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The first `count` coordinates of a random unit vector in d dimensions.
std::vector<double> unit_vector(std::int64_t d, std::int64_t count, RandomStream& random) {
  std::vector<double> coordinates(index(count));
  double sum = 0;
  for (std::int64_t i = 0; i < d; ++i) {
    const double x = random.normal();
    sum += x * x;
    if (i < count) coordinates[index(i)] = x;
  }
  for (double& x : coordinates) x /= std::sqrt(sum);
  return coordinates;
}

double block_overlap(const Matrix& cosines, std::int64_t begin, std::int64_t end) {
  double sum = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    for (std::int64_t j = begin; j < end; ++j) sum += cosines(i, j) * cosines(i, j);
  }
  return sum / static_cast<double>(end - begin);
}

}  // namespace

JointStability joint_stability(const BasisProducts& u, const BasisProducts& v) {
  const std::int64_t r = u.cosines.rows();
  ensure(v.cosines.rows() == r, "both sides of a decomposition have as many vectors");
  JointStability stability{std::vector<double>(index(r)), std::vector<double>(index(r)),
                           std::vector<std::int64_t>(index(r))};
  for (std::int64_t i = 0; i < r; ++i) {
    stability.diagonal[index(i)] = u.cosines(i, i) * v.cosines(i, i);
    double best = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < std::min(2 * (i + 1), r); ++j) {
      const double product = u.cosines(i, j) * v.cosines(i, j);
      if (product <= best) continue;
      best = product;
      stability.matched_with[index(i)] = j;
    }
    stability.matched[index(i)] = best;
  }
  return stability;
}

std::vector<double> matched_stability_chance(std::int64_t out, std::int64_t in, int draws,
                                             std::uint64_t seed) {
  if (draws < 1) throw Error(fmt::format("matched stability: {} draws; give at least 1", draws));
  const std::int64_t r = std::min(out, in);
  std::vector<double> mean(index(r));
  RandomStream random(seed, matched_chance_stream);
  for (int draw = 0; draw < draws; ++draw) {
    const std::vector<double> left = unit_vector(out, r, random);
    const std::vector<double> right = unit_vector(in, r, random);
    double best = -std::numeric_limits<double>::infinity();
    std::int64_t j = 0;
    for (std::int64_t i = 0; i < r; ++i) {
      for (; j < std::min(2 * (i + 1), r); ++j) {
        best = std::max(best, left[index(j)] * right[index(j)]);
      }
      mean[index(i)] += best / draws;
    }
  }
  return mean;
}

double cosine_chance(std::int64_t d) {
  return std::sqrt(2 / (std::numbers::pi * static_cast<double>(d)));
}

double intruder_share(const BasisProducts& products, std::int64_t count, double threshold) {
  const Matrix& cosines = products.cosines;
  count = std::min(count, cosines.columns());
  if (count < 1) return 0;
  std::int64_t intruders = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    double largest = 0;
    for (std::int64_t i = 0; i < cosines.rows(); ++i) {
      largest = std::max(largest, std::abs(cosines(i, j)));
    }
    intruders += largest < threshold ? 1 : 0;
  }
  return static_cast<double>(intruders) / static_cast<double>(count);
}

std::vector<double> spectrum_shift(const std::vector<double>& sigma,
                                   const std::vector<double>& sigma_after) {
  ensure(sigma.size() == sigma_after.size(), "two spectra of one shape");
  std::vector<double> shift(sigma.size());
  for (std::size_t i = 0; i < shift.size(); ++i) shift[i] = (sigma_after[i] - sigma[i]) / sigma[i];
  return shift;
}

EnergyInBasis energy_in_basis(const Svd& decomposition, const Matrix& change) {
  const Matrix inside = multiply(multiply_at_b(decomposition.u, change), decomposition.v);
  const std::int64_t r = inside.rows();
  const double norm = frobenius_norm(change);
  const double places = static_cast<double>(change.rows()) * static_cast<double>(change.columns());
  EnergyInBasis energy;
  double core = 0, diagonal = 0;
  // Shares are taken before squaring, so that a change of 1e-200 does not vanish.
  const auto share = [&](std::int64_t i, std::int64_t j) {
    const double part = norm > 0 ? inside(i, j) / norm : 0;
    return part * part;
  };
  for (std::int64_t k = 0; k < r; ++k) {
    for (std::int64_t i = 0; i < k; ++i) core += share(i, k) + share(k, i);
    core += share(k, k);
    diagonal += share(k, k);
    const auto count = static_cast<double>(k + 1);
    energy.coefficient_shift.push_back(inside(k, k));
    energy.core.push_back(core);
    energy.diagonal.push_back(diagonal);
    energy.core_chance.push_back(count * count / places);
    energy.diagonal_chance.push_back(count / places);
  }
  return energy;
}

std::vector<double> functional_spectrum(const Svd& decomposition, const Matrix& second_moment) {
  if (second_moment.rows() != decomposition.in() || second_moment.columns() != decomposition.in()) {
    throw ShapeError(fmt::format("functional spectrum: second moments of {} for {} inputs",
                                 second_moment.to_string(), decomposition.in()));
  }
  const Matrix moved = multiply(second_moment, decomposition.v);  // (in x r)
  std::vector<double> mean_square(index(decomposition.rank()));
  for (std::int64_t row = 0; row < moved.rows(); ++row) {
    for (std::int64_t i = 0; i < moved.columns(); ++i) {
      mean_square[index(i)] += decomposition.v(row, i) * moved(row, i);
    }
  }
  std::vector<double> spectrum(decomposition.sigma);
  for (std::size_t i = 0; i < spectrum.size(); ++i) {
    spectrum[i] *= std::sqrt(std::max(mean_square[i], 0.0));  // rounding may fall below 0
  }
  return spectrum;
}

Curve wedin_bound(const std::vector<double>& sigma, const std::vector<double>& sigma_after,
                  double change_spectral_norm) {
  ensure(sigma.size() == sigma_after.size(), "two spectra of one shape");
  Curve bound(sigma.size());
  for (std::size_t k = 0; k < bound.size(); ++k) {
    const double next = k + 1 < sigma_after.size() ? sigma_after[k + 1] : 0;
    const double gap = sigma[k] - next;
    bound[k] = gap > change_spectral_norm ? change_spectral_norm / gap : 1;
  }
  return bound;
}

std::vector<GapGroup> gap_groups(const std::vector<double>& sigma, double change_spectral_norm,
                                 const BasisProducts& u, const BasisProducts& v) {
  std::vector<GapGroup> groups;
  const auto r = static_cast<std::int64_t>(sigma.size());
  for (std::int64_t begin = 0, end = 1; begin < r; begin = end, ++end) {
    while (end < r && sigma[index(end - 1)] - sigma[index(end)] < 2 * change_spectral_norm) ++end;
    groups.push_back(
        {begin, end, block_overlap(u.cosines, begin, end), block_overlap(v.cosines, begin, end)});
  }
  return groups;
}

}  // namespace basis
