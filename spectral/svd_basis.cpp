#include "spectral/svd_basis.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "spectral/matrix_lapack.h"
#include "spectral/stability.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

// Streams of one seed stay apart by their purpose.
constexpr std::uint64_t left_directions = 0x4c45'4654'0000'0001;
constexpr std::uint64_t right_directions = 0x5249'4748'0000'0002;
constexpr std::uint64_t shuffled_pairs = 0x5348'5546'0000'0003;
constexpr std::uint64_t flipped_signs = 0x464c'4950'0000'0004;

/// Replaces the Gaussian columns by the Q of their QR factorisation. a: column-major (d x k).
void orthonormalise(double* a, LapackInt d, LapackInt k) {
  std::vector<double> tau(static_cast<std::size_t>(k));
  LapackInt info = 0, query = -1;
  double best_qr = 0, best_q = 0;
  dgeqrf_(&d, &k, a, &d, tau.data(), &best_qr, &query, &info);
  dorgqr_(&d, &k, &k, a, &d, tau.data(), &best_q, &query, &info);
  std::vector<double> workspace(static_cast<std::size_t>(std::max(best_qr, best_q)));
  const auto size = static_cast<LapackInt>(workspace.size());
  dgeqrf_(&d, &k, a, &d, tau.data(), workspace.data(), &size, &info);
  ensure(info == 0, "dgeqrf accepts its arguments");
  std::vector<double> signs(static_cast<std::size_t>(k));
  for (LapackInt j = 0; j < k; ++j) {
    signs[static_cast<std::size_t>(j)] =
        std::copysign(1.0, a[static_cast<std::ptrdiff_t>(j) * d + j]);
  }
  dorgqr_(&d, &k, &k, a, &d, tau.data(), workspace.data(), &size, &info);
  ensure(info == 0, "dorgqr accepts its arguments");
  for (LapackInt j = 0; j < k; ++j) {
    double* column = a + static_cast<std::ptrdiff_t>(j) * d;
    for (LapackInt i = 0; i < d; ++i) column[i] *= signs[static_cast<std::size_t>(j)];
  }
}

/// σ_i = u_iᵀ W v_i, for W = U diag(σ) Vᵀ and whatever directions.
std::vector<double> coefficients(const Svd& whole, const Matrix& u, const Matrix& v) {
  const Matrix left = scale_columns(multiply_at_b(u, whole.u), whole.sigma);
  const Matrix right = multiply_at_b(v, whole.v);  // both (k x r)
  std::vector<double> sigma(static_cast<std::size_t>(u.columns()));
  for (std::int64_t i = 0; i < left.rows(); ++i) {
    for (std::int64_t j = 0; j < left.columns(); ++j) {
      sigma[static_cast<std::size_t>(i)] += left(i, j) * right(i, j);
    }
  }
  return sigma;
}

Basis with_coefficients(const Svd& whole, Matrix u, Matrix v) {
  std::vector<double> sigma = coefficients(whole, u, v);
  return {std::move(u), std::move(v), std::move(sigma)};
}

Matrix columns_at(const Matrix& a, const std::vector<std::int64_t>& places) {
  Matrix chosen(a.rows(), std::ssize(places));
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    for (std::int64_t j = 0; j < chosen.columns(); ++j) {
      chosen(i, j) = a(i, places[static_cast<std::size_t>(j)]);
    }
  }
  return chosen;
}

/// One cycle through all of them (Sattolo's algorithm): none stays where it was.
std::vector<std::int64_t> random_cycle(std::int64_t k, std::uint64_t seed) {
  RandomStream random(seed, shuffled_pairs);
  std::vector<std::int64_t> places(static_cast<std::size_t>(k));
  std::iota(places.begin(), places.end(), std::int64_t{0});
  for (std::size_t i = places.size(); i > 1; --i) {
    std::swap(places[i - 1], places[random.below(i - 1)]);
  }
  return places;
}

Basis shuffled_basis(const Svd& decomposition, std::int64_t k, std::uint64_t seed) {
  if (k < 2) throw Error("basis: a single pair cannot be shuffled; choose a rank of at least 2");
  return with_coefficients(decomposition, columns_of(decomposition.u, 0, k),
                           columns_at(decomposition.v, random_cycle(k, seed)));
}

Basis rotated_basis(const Svd& decomposition, std::int64_t k, std::uint64_t seed) {
  return with_coefficients(
      decomposition,
      multiply(columns_of(decomposition.u, 0, k), random_orthonormal(k, k, seed, left_directions)),
      multiply(columns_of(decomposition.v, 0, k),
               random_orthonormal(k, k, seed, right_directions)));
}

Basis flipped_basis(const Svd& decomposition, std::int64_t k, std::uint64_t seed) {
  RandomStream random(seed, flipped_signs);
  std::vector<double> signs;
  for (std::int64_t i = 0; i < k; ++i) signs.push_back(random.below(2) == 0 ? 1 : -1);
  return {scale_columns(columns_of(decomposition.u, 0, k), signs),
          scale_columns(columns_of(decomposition.v, 0, k), signs),
          {decomposition.sigma.begin(), decomposition.sigma.begin() + k}};
}

void require_rank(std::int64_t k, std::int64_t out, std::int64_t in) {
  const std::int64_t r = std::min(out, in);
  if (k >= 1 && k <= r) return;
  throw Error(
      fmt::format("basis: rank {} was asked of a {} x {} matrix, whose rank is {}; choose 1 to {}",
                  k, out, in, r, r));
}

}  // namespace

const char* name_of(BasisKind kind) {
  switch (kind) {
    case BasisKind::Leading:
      return "leading";
    case BasisKind::Trailing:
      return "trailing";
    case BasisKind::Random:
      return "random";
    case BasisKind::Shuffled:
      return "shuffled";
    case BasisKind::Rotated:
      return "rotated";
    case BasisKind::Activation:
      return "activation";
    case BasisKind::OtherSeed:
      return "other-seed";
    case BasisKind::Flipped:
      return "flipped";
  }
  return "?";
}

Basis select_basis(const Svd& decomposition, BasisKind kind, std::int64_t k, std::uint64_t seed) {
  require_rank(k, decomposition.out(), decomposition.in());
  const std::int64_t r = decomposition.rank();
  switch (kind) {
    case BasisKind::Leading:
    case BasisKind::Trailing: {
      const std::int64_t begin = kind == BasisKind::Leading ? 0 : r - k;
      return {columns_of(decomposition.u, begin, begin + k),
              columns_of(decomposition.v, begin, begin + k),
              {decomposition.sigma.begin() + begin, decomposition.sigma.begin() + begin + k}};
    }
    case BasisKind::Random: {
      Basis basis = random_basis(decomposition.out(), decomposition.in(), k, seed);
      return with_coefficients(decomposition, std::move(basis.u), std::move(basis.v));
    }
    case BasisKind::Shuffled:
      return shuffled_basis(decomposition, k, seed);
    case BasisKind::Rotated:
      return rotated_basis(decomposition, k, seed);
    case BasisKind::Flipped:
      return flipped_basis(decomposition, k, seed);
    case BasisKind::Activation:
    case BasisKind::OtherSeed:
      throw Error(fmt::format("basis \"{}\" needs more than the weight: text, or another model",
                              name_of(kind)));
  }
  throw InternalError("unknown basis");
}

Basis random_basis(std::int64_t out, std::int64_t in, std::int64_t k, std::uint64_t seed) {
  require_rank(k, out, in);
  return {random_orthonormal(out, k, seed, left_directions),
          random_orthonormal(in, k, seed, right_directions),
          {}};
}

Basis activation_basis(const Svd& decomposition, const Matrix& second_moment, std::int64_t k) {
  require_rank(k, decomposition.out(), decomposition.in());
  const std::vector<double> used = functional_spectrum(decomposition, second_moment);
  std::vector<std::int64_t> places(used.size());
  std::iota(places.begin(), places.end(), std::int64_t{0});
  std::stable_sort(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) {
    return used[static_cast<std::size_t>(a)] > used[static_cast<std::size_t>(b)];
  });
  places.resize(static_cast<std::size_t>(k));
  std::vector<double> sigma;
  for (const std::int64_t i : places)
    sigma.push_back(decomposition.sigma[static_cast<std::size_t>(i)]);
  return {columns_at(decomposition.u, places), columns_at(decomposition.v, places),
          std::move(sigma)};
}

Basis basis_of_other(const Matrix& weight, const Basis& other) {
  if (weight.rows() != other.u.rows() || weight.columns() != other.v.rows()) {
    throw ShapeError(fmt::format("basis: another model's {} and {} are not of a weight {}",
                                 other.u.to_string(), other.v.to_string(), weight.to_string()));
  }
  return {other.u, other.v, coefficients_in(weight, other.u, other.v)};
}

Matrix random_gaussian(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t purpose) {
  RandomStream random(seed, purpose);
  Matrix matrix(rows, columns);
  const std::size_t count = matrix.elements().size();
  for (std::size_t i = 0; i < count; ++i) matrix.data()[i] = random.normal();
  return matrix;
}

Matrix random_of_norm(std::int64_t rows, std::int64_t columns, double norm, std::uint64_t seed,
                      std::uint64_t purpose) {
  Matrix random = random_gaussian(rows, columns, seed, purpose);
  scale(random, norm / frobenius_norm(random));
  return random;
}

std::vector<double> coefficients_in(const Matrix& weight, const Matrix& u, const Matrix& v) {
  const Matrix turned = multiply(weight, v);  // (out x k)
  std::vector<double> coefficients(static_cast<std::size_t>(turned.columns()));
  for (std::int64_t i = 0; i < turned.rows(); ++i) {
    for (std::size_t j = 0; j < coefficients.size(); ++j) {
      const auto column = static_cast<std::int64_t>(j);
      coefficients[j] += u(i, column) * turned(i, column);
    }
  }
  return coefficients;
}

Matrix random_orthonormal(std::int64_t d, std::int64_t k, std::uint64_t seed,
                          std::uint64_t purpose) {
  if (k < 1 || k > d || d > std::numeric_limits<LapackInt>::max()) {
    throw Error(
        fmt::format("random basis: {} orthonormal directions do not exist in {} dimensions", k, d));
  }
  Matrix columns = random_gaussian(k, d, seed, purpose);  // (k x d) by rows = (d x k) by columns
  orthonormalise(columns.data(), static_cast<LapackInt>(d), static_cast<LapackInt>(k));
  return transpose(columns);
}

Matrix random_with_spectrum(const std::vector<double>& sigma, std::int64_t out, std::int64_t in,
                            std::uint64_t seed) {
  const std::int64_t r = std::min(out, in);
  if (static_cast<std::int64_t>(sigma.size()) != r) {
    throw Error(
        fmt::format("random_with_spectrum: {} singular values for {} x {}", sigma.size(), out, in));
  }
  return multiply_a_bt(scale_columns(random_orthonormal(out, r, seed, left_directions), sigma),
                       random_orthonormal(in, r, seed, right_directions));
}

}  // namespace basis
