#include "spectral/svd_basis.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "spectral/matrix_lapack.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

// Streams of one seed stay apart by their purpose.
constexpr std::uint64_t left_directions = 0x4c45'4654'0000'0001;
constexpr std::uint64_t right_directions = 0x5249'4748'0000'0002;

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

Basis random_basis(const Svd& decomposition, std::int64_t k, std::uint64_t seed) {
  Basis result{random_orthonormal(decomposition.out(), k, seed, left_directions),
               random_orthonormal(decomposition.in(), k, seed, right_directions),
               std::vector<double>(static_cast<std::size_t>(k))};
  const Matrix left = scale_columns(multiply_at_b(result.u, decomposition.u), decomposition.sigma);
  const Matrix right = multiply_at_b(result.v, decomposition.v);  // both (k x r)
  for (std::int64_t i = 0; i < k; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < left.columns(); ++j) sum += left(i, j) * right(i, j);
    result.sigma[static_cast<std::size_t>(i)] = sum;
  }
  return result;
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
  }
  return "?";
}

Basis select_basis(const Svd& decomposition, BasisKind kind, std::int64_t k, std::uint64_t seed) {
  const std::int64_t r = decomposition.rank();
  if (k < 1 || k > r) {
    throw Error(fmt::format(
        "basis: rank {} was asked of a {} x {} matrix, whose rank is {}; choose 1 to {}", k,
        decomposition.out(), decomposition.in(), r, r));
  }
  if (kind == BasisKind::Random) return random_basis(decomposition, k, seed);
  const std::int64_t begin = kind == BasisKind::Leading ? 0 : r - k;
  return {columns_of(decomposition.u, begin, begin + k),
          columns_of(decomposition.v, begin, begin + k),
          {decomposition.sigma.begin() + begin, decomposition.sigma.begin() + begin + k}};
}

Matrix random_gaussian(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t purpose) {
  RandomStream random(seed, purpose);
  Matrix matrix(rows, columns);
  const std::size_t count = matrix.elements().size();
  for (std::size_t i = 0; i < count; ++i) matrix.data()[i] = random.normal();
  return matrix;
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
