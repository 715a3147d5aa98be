#include "spectral/leading_svd.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "spectral/matrix_lapack.h"
#include "spectral/matrix_parallel.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// Below it LAPACK's decomposition of the whole is faster.
constexpr std::int64_t largest_share_of_rank = 4;
/// Values below this share of the first have lost too many digits by squaring.
constexpr double smallest_share_of_first = 1e-3;

struct EigenPairs {
  std::vector<double> values;  // (k), descending
  Matrix vectors;              // (n x k)
};

/// The k largest eigenvalues of a symmetric matrix, which is destroyed; nothing where LAPACK fails.
std::optional<EigenPairs> leading_eigenpairs(Matrix gram, LapackInt k) {
  const auto n = static_cast<LapackInt>(gram.rows());
  const LapackInt first = n - k + 1;
  const double unused = 0;
  std::vector<double> values(static_cast<std::size_t>(n));
  Matrix by_rows(k, n);  // column-major (n x k), ascending
  std::vector<LapackInt> support(2 * static_cast<std::size_t>(k));
  LapackInt found = 0, info = 0, query = -1, best_integers = 0;
  double best = 0;
  const auto call = [&](double* work, const LapackInt* size, LapackInt* integers,
                        const LapackInt* integer_size) {
    dsyevr_("V", "I", "L", &n, gram.data(), &n, &unused, &unused, &first, &n, &unused, &found,
            values.data(), by_rows.data(), &n, support.data(), work, size, integers, integer_size,
            &info, 1, 1, 1);
  };
  call(&best, &query, &best_integers, &query);
  ensure(info == 0, "dsyevr accepts its arguments");
  std::vector<double> work(static_cast<std::size_t>(best));
  std::vector<LapackInt> integers(static_cast<std::size_t>(best_integers));
  const auto size = static_cast<LapackInt>(work.size());
  call(work.data(), &size, integers.data(), &best_integers);
  if (info != 0 || found != k) return std::nullopt;
  EigenPairs pairs{{}, Matrix(n, k)};
  for (LapackInt j = 0; j < k; ++j) {
    const LapackInt from = k - 1 - j;
    pairs.values.push_back(values[static_cast<std::size_t>(from)]);
    for (LapackInt i = 0; i < n; ++i) pairs.vectors(i, j) = by_rows(from, i);
  }
  return pairs;
}

double largest_column_norm(const Matrix& matrix) {
  std::vector<double> squares(static_cast<std::size_t>(matrix.columns()), 0.0);
  for (std::int64_t i = 0; i < matrix.rows(); ++i) {
    for (std::size_t j = 0; j < squares.size(); ++j) {
      squares[j] += matrix.row(i)[j] * matrix.row(i)[j];
    }
  }
  return std::sqrt(*std::max_element(squares.begin(), squares.end()));
}

/// Of W with at least as many rows as columns: v from WᵀW, u = W v / σ with σ = ‖W v‖.
std::optional<Svd> from_gram(const Matrix& tall, std::int64_t k) {
  auto pairs = leading_eigenpairs(multiply_at_b(tall, tall), static_cast<LapackInt>(k));
  if (!pairs) return std::nullopt;
  Matrix u = multiply(tall, pairs->vectors);
  std::vector<double> sigma(static_cast<std::size_t>(k), 0.0), inverse;
  for (std::int64_t i = 0; i < u.rows(); ++i) {
    for (std::size_t j = 0; j < sigma.size(); ++j) sigma[j] += u.row(i)[j] * u.row(i)[j];
  }
  for (double& value : sigma) {
    value = std::sqrt(value);
    if (!(value > smallest_share_of_first * sigma.front())) return std::nullopt;
    inverse.push_back(1 / value);
  }
  if (!std::is_sorted(sigma.rbegin(), sigma.rend())) return std::nullopt;
  u = scale_columns(std::move(u), inverse);
  // W v = σ u holds by construction.
  const Matrix residual = subtract(multiply_at_b(tall, u), scale_columns(pairs->vectors, sigma));
  if (!(largest_column_norm(residual) <= leading_svd_accuracy * sigma.front())) return std::nullopt;
  return Svd{std::move(u), std::move(sigma), std::move(pairs->vectors)};
}

Svd leading_of(Svd whole, std::int64_t k) {
  whole.u = columns_of(whole.u, 0, k);
  whole.v = columns_of(whole.v, 0, k);
  whole.sigma.resize(static_cast<std::size_t>(k));
  return whole;
}

}  // namespace

Svd leading_svd(const Matrix& matrix, std::int64_t k, Decompositions* device) {
  const std::int64_t rank = std::min(matrix.rows(), matrix.columns());
  if (!matrix.is_empty() && (k < 1 || k > rank)) {
    throw Error(fmt::format("svd: {} leading pairs of a {} matrix, which has {}", k,
                            matrix.to_string(), rank));
  }
  if (device != nullptr || largest_share_of_rank * k > rank || !is_finite(matrix)) {
    return leading_of(svd(matrix, device), k);
  }
  const SingleThreadedBlas one_thread;
  const bool is_turned = matrix.rows() < matrix.columns();
  std::optional<Svd> found = from_gram(is_turned ? transpose(matrix) : matrix, k);
  if (!found) return leading_of(svd(matrix), k);
  if (is_turned) std::swap(found->u, found->v);
  fix_signs(*found);
  return std::move(*found);
}

}  // namespace basis
