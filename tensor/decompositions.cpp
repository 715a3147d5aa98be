#include "tensor/decompositions.h"

#include <algorithm>
#include <cmath>

#include "tensor/philox.h"

namespace basis {

namespace {

/// LAPACK's and cuSOLVER's errors are some 1e-14 of the norm.
constexpr double accuracy = 1e-12;

using Vector = std::vector<double>;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

Vector random_signs(std::int64_t count, std::uint64_t purpose) {
  RandomStream random(0, purpose);
  Vector signs(index(count));
  for (double& sign : signs) sign = (random.next_u32() & 1) != 0 ? 1 : -1;
  return signs;
}

/// A x of A (rows x x.size()) row by row.
Vector times(const double* a, std::int64_t rows, const Vector& x) {
  Vector product(index(rows));
  for (std::size_t i = 0; i < product.size(); ++i) {
    const double* row = a + i * x.size();
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t j = 0; j < x.size(); ++j) sum += row[j] * x[j];
    product[i] = sum;
  }
  return product;
}

/// Aᵀ x of A (x.size() x columns).
Vector transposed_times(const double* a, std::int64_t columns, const Vector& x) {
  Vector product(index(columns));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double* row = a + i * product.size();
    for (std::size_t j = 0; j < product.size(); ++j) product[j] += x[i] * row[j];
  }
  return product;
}

/// Not where one has a NaN.
bool are_close(const Vector& a, const Vector& b, double tolerance) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](double one, double other) { return std::abs(one - other) <= tolerance; });
}

/// Whether the rows of A (n x m) are orthonormal: p = A Aᵀ p.
bool has_orthonormal_rows(const double* a, std::int64_t n, std::int64_t m) {
  const Vector p = random_signs(n, 1);
  const Vector again = times(a, n, transposed_times(a, m, p));
  return are_close(p, again, accuracy * std::sqrt(static_cast<double>(n)));
}

}  // namespace

bool is_decomposition(const WideSvd& found, std::int64_t n, std::int64_t m, const double* w) {
  const Vector& sigma = found.sigma;
  // A NaN among them: every comparison with it is false.
  for (std::size_t i = 0; i < sigma.size(); ++i) {
    if (!(sigma[i] >= 0 && (i == 0 || sigma[i] <= sigma[i - 1]))) return false;
  }
  const double norm = sigma.front();
  if (!std::isfinite(norm)) return false;
  const Vector x = random_signs(m, 2);
  Vector parts = times(found.v.data(), n, x);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] *= sigma[i];
  return are_close(times(w, n, x), transposed_times(found.u.data(), n, parts),
                   accuracy * norm * std::sqrt(static_cast<double>(m))) &&
         has_orthonormal_rows(found.u.data(), n, n) && has_orthonormal_rows(found.v.data(), n, m);
}

}  // namespace basis
