#include "spectral/rotation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Rotations below this are rounding: off-diagonal cosines of equal bases are of order 1e-16, and
/// up to 4096 of them fall to one vector.
constexpr double rounding_rotation = 1e-27;

/// For every k the sum of value(i, j) over columns j < k and rows i >= k (0-based): what crosses
/// the boundary at k. Every sum grows by adding alone, so that tiny sums keep their digits.
template <class Value>
std::vector<double> crossing_sums(std::int64_t r, const Value& value) {
  std::vector<double> below(static_cast<std::size_t>(r));  // (column): sum over the rows >= k
  std::vector<double> sums(static_cast<std::size_t>(r));
  for (std::int64_t k = r - 1; k >= 1; --k) {
    double sum = 0;
    for (std::int64_t j = 0; j < k; ++j) {
      double& column = below[static_cast<std::size_t>(j)];
      column += value(k, j);
      sum += column;
    }
    sums[static_cast<std::size_t>(k - 1)] = sum;
  }
  return sums;
}

double square(double x) {
  return x * x;
}

void accumulate(Curve& sum, const Curve& addend, double weight) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * addend[i];
}

}  // namespace

BasisProducts basis_products(const Matrix& u, const Matrix& u_after) {
  if (u.rows() != u_after.rows() || u.columns() != u_after.columns()) {
    throw ShapeError(fmt::format("rotation: bases of {} and {} differ in shape", u.to_string(),
                                 u_after.to_string()));
  }
  BasisProducts products{u.rows(), multiply_at_b(u, u_after),
                         std::vector<double>(static_cast<std::size_t>(u.columns()))};
  if (u.rows() == u.columns()) return products;  // U reaches everything
  const Matrix residual = subtract(u_after, multiply(u, products.cosines));
  for (std::int64_t i = 0; i < residual.rows(); ++i) {
    const double* row = residual.row(i);
    for (std::size_t j = 0; j < products.outside.size(); ++j) products.outside[j] += square(row[j]);
  }
  return products;
}

Curve overlap_curve(const BasisProducts& products) {
  const std::int64_t r = products.cosines.columns();
  Curve overlap(static_cast<std::size_t>(r));
  double sum = 0;
  for (std::int64_t k = 0; k < r; ++k) {
    for (std::int64_t i = 0; i < k; ++i) {
      sum += square(products.cosines(i, k)) + square(products.cosines(k, i));
    }
    sum += square(products.cosines(k, k));
    overlap[static_cast<std::size_t>(k)] = sum / static_cast<double>(k + 1);
  }
  return overlap;
}

Curve rotation_between(const Matrix& u, const Matrix& u_after) {
  return rotation_curve(basis_products(u, u_after));
}

Curve rotation_curve(const BasisProducts& products) {
  Curve rotation = crossing_sums(products.cosines.columns(), [&](std::int64_t i, std::int64_t j) {
    return square(products.cosines(i, j));
  });
  double outside = 0;
  for (std::size_t k = 0; k < rotation.size(); ++k) {
    outside += products.outside[k];
    rotation[k] = (rotation[k] + outside) / static_cast<double>(k + 1);
  }
  return rotation;
}

Curve overlap_chance(std::int64_t d, std::int64_t r) {
  Curve chance(static_cast<std::size_t>(r));
  for (std::size_t k = 0; k < chance.size(); ++k) {
    chance[k] = static_cast<double>(k + 1) / static_cast<double>(d);
  }
  return chance;
}

Curve corrected_overlap(const Curve& overlap, std::int64_t d) {
  const Curve chance = overlap_chance(d, static_cast<std::int64_t>(overlap.size()));
  Curve corrected(overlap.size());
  for (std::size_t k = 0; k < overlap.size(); ++k) {
    corrected[k] = chance[k] < 1 ? (overlap[k] - chance[k]) / (1 - chance[k]) : undefined;
  }
  return corrected;
}

std::vector<double> principal_angles(const Matrix& u, const Matrix& u_after, std::int64_t k) {
  if (k < 1 || k > std::min(u.columns(), u_after.columns())) {
    throw Error(fmt::format("principal angles: k = {} is not in 1..{}", k,
                            std::min(u.columns(), u_after.columns())));
  }
  const Matrix first = columns_of(u, 0, k);
  const Matrix second = columns_of(u_after, 0, k);
  std::vector<double> angles =
      singular_values(subtract(second, multiply(first, multiply_at_b(first, second))));
  for (double& angle : angles) angle = std::asin(std::min(angle, 1.0));
  return angles;
}

Curve expected_gaussian_rotation(const std::vector<double>& sigma, std::int64_t d, std::int64_t out,
                                 std::int64_t in, double change_norm) {
  const auto r = static_cast<std::int64_t>(sigma.size());
  const double variance =
      square(change_norm) / (static_cast<double>(out) * static_cast<double>(in));
  Curve expected = crossing_sums(r, [&](std::int64_t j, std::int64_t i) {
    const double a = sigma[static_cast<std::size_t>(i)], b = sigma[static_cast<std::size_t>(j)];
    return a == b ? infinity : (square(a) + square(b)) / square((a - b) * (a + b));
  });
  double beyond = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    if (d > r) beyond += static_cast<double>(d - r) / square(sigma[k]);
    expected[k] = variance > 0 ? variance / static_cast<double>(k + 1) * (expected[k] + beyond) : 0;
  }
  return expected;
}

namespace {

/// Mean rotation over the changes that `change_of(draw)` makes.
SidedCurves mean_rotation(const Matrix& before, const Svd& decomposition, int draws,
                          const std::function<Matrix(int draw)>& change_of,
                          Decompositions* device) {
  if (draws < 1) throw Error(fmt::format("control of rotation: {} draws; give at least 1", draws));
  const auto r = static_cast<std::size_t>(decomposition.rank());
  SidedCurves mean{Curve(r), Curve(r)};
  for (int draw = 0; draw < draws; ++draw) {
    const Svd after = svd(add(before, change_of(draw)), device);
    accumulate(mean.u, rotation_between(decomposition.u, after.u), 1.0 / draws);
    accumulate(mean.v, rotation_between(decomposition.v, after.v), 1.0 / draws);
  }
  return mean;
}

SidedCurves no_rotation(const Svd& decomposition) {
  const auto r = static_cast<std::size_t>(decomposition.rank());
  return {Curve(r), Curve(r)};
}

}  // namespace

SidedCurves simulate_gaussian_rotation(const Matrix& before, const Svd& decomposition,
                                       double change_norm, int draws, std::uint64_t seed,
                                       std::uint64_t purpose, Decompositions* device) {
  const auto gaussian = [&](int draw) {
    // The draw counts in the upper bits of the purpose, which names leave free.
    return random_of_norm(before.rows(), before.columns(), change_norm, seed,
                          purpose ^ (static_cast<std::uint64_t>(draw) << 48));
  };
  if (change_norm == 0) return no_rotation(decomposition);
  return mean_rotation(before, decomposition, draws, gaussian, device);
}

SidedCurves simulate_haar_rotation(const Matrix& before, const Svd& decomposition,
                                   const std::vector<double>& change_sigma, int draws,
                                   std::uint64_t seed, Decompositions* device) {
  const auto turned = [&](int draw) {
    return random_with_spectrum(change_sigma, before.rows(), before.columns(),
                                hash_of_name("haar control", seed + static_cast<unsigned>(draw)));
  };
  if (change_sigma.front() == 0) return no_rotation(decomposition);
  return mean_rotation(before, decomposition, draws, turned, device);
}

Curve rotation_ratio(const Curve& rotation, const Curve& control) {
  ensure(rotation.size() == control.size(), "a rotation and its control have as many k");
  Curve ratio(rotation.size());
  for (std::size_t k = 0; k < ratio.size(); ++k) {
    const bool is_defined = control[k] > 0 && std::isfinite(control[k]);
    ratio[k] = is_defined ? rotation[k] / control[k] : undefined;
  }
  return ratio;
}

Curve co_drift(const Curve& start_to_s, const Curve& start_to_t, const Curve& s_to_t) {
  ensure(start_to_s.size() == start_to_t.size() && start_to_s.size() == s_to_t.size(),
         "the three rotations of a co-drift have as many k");
  Curve shared(s_to_t.size());
  for (std::size_t k = 0; k < shared.size(); ++k) {
    const double to_s = start_to_s[k], to_t = start_to_t[k];
    const bool both_drifted = std::min(to_s, to_t) > rounding_rotation;
    shared[k] = both_drifted ? (to_s + to_t - s_to_t[k]) / (2 * std::sqrt(to_s * to_t)) : undefined;
  }
  return shared;
}

SidedCurves co_drift(const Svd& start, const Svd& s, const Svd& t) {
  return {co_drift(rotation_between(start.u, s.u), rotation_between(start.u, t.u),
                   rotation_between(s.u, t.u)),
          co_drift(rotation_between(start.v, s.v), rotation_between(start.v, t.v),
                   rotation_between(s.v, t.v))};
}

double cosine(const Matrix& a, const Matrix& b) {
  const double norms = frobenius_norm(a) * frobenius_norm(b);
  return norms > 0 ? inner_product(a, b) / norms : undefined;
}

}  // namespace basis
