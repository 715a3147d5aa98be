#include "spectral/svd.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "spectral/matrix_lapack.h"
#include "spectral/matrix_parallel.h"
#include "tensor/error.h"

namespace basis {
namespace {

void require_decomposable(const Matrix& matrix) {
  if (matrix.is_empty()) {
    throw Error(fmt::format("svd: a matrix of {} has no singular values", matrix.to_string()));
  }
  // Workspace sizes are 32-bit in LAPACK: about 4 r² + 7 r doubles.
  const std::int64_t r = std::min(matrix.rows(), matrix.columns());
  if (std::max(matrix.rows(), matrix.columns()) > std::numeric_limits<LapackInt>::max() ||
      4 * r * r + 7 * r > std::numeric_limits<LapackInt>::max()) {
    throw Error(fmt::format("svd: {} is larger than LAPACK can count", matrix.to_string()));
  }
  for (std::int64_t i = 0; i < matrix.rows(); ++i) {
    for (std::int64_t j = 0; j < matrix.columns(); ++j) {
      if (std::isfinite(matrix(i, j))) continue;
      throw Error(fmt::format("svd: element ({}, {}) of a {} matrix is {}; check the weights", i, j,
                              matrix.to_string(), matrix(i, j)));
    }
  }
}

/// What LAPACK sees: a row-major (out x in) matrix W is its column-major Wᵀ = V Σ Uᵀ. So its "u" is
/// V by columns (Vᵀ by rows), and its "vt", Uᵀ by columns, is U by rows.
struct Problem {
  Matrix work;          // destroyed
  LapackInt m, n, r;    // in, out, min
  Matrix v_transposed;  // (r x in)
  Matrix u;             // (out x r)
  std::vector<double> sigma;

  Problem(Matrix matrix, bool vectors)
      : work(std::move(matrix)),
        m(static_cast<LapackInt>(work.columns())),
        n(static_cast<LapackInt>(work.rows())),
        r(std::min(m, n)),
        v_transposed(vectors ? Matrix(r, m) : Matrix(1, 1)),
        u(vectors ? Matrix(n, r) : Matrix(1, 1)),
        sigma(static_cast<std::size_t>(r)) {}

  LapackInt divide_and_conquer(char job) {
    const LapackInt ldu = job == 'N' ? 1 : m, ldvt = job == 'N' ? 1 : r;
    std::vector<LapackInt> integers(8 * static_cast<std::size_t>(r));
    LapackInt info = 0, query = -1;
    double best = 0;
    const auto call = [&](double* workspace, const LapackInt* size) {
      dgesdd_(&job, &m, &n, work.data(), &m, sigma.data(), v_transposed.data(), &ldu, u.data(),
              &ldvt, workspace, size, integers.data(), &info, 1);
    };
    call(&best, &query);
    ensure(info == 0, "dgesdd accepts its arguments");
    std::vector<double> workspace(static_cast<std::size_t>(best));
    const auto size = static_cast<LapackInt>(workspace.size());
    call(workspace.data(), &size);
    return info;
  }

  LapackInt qr_iteration(char job) {
    const LapackInt ldu = job == 'N' ? 1 : m, ldvt = job == 'N' ? 1 : r;
    LapackInt info = 0, query = -1;
    double best = 0;
    const auto call = [&](double* workspace, const LapackInt* size) {
      dgesvd_(&job, &job, &m, &n, work.data(), &m, sigma.data(), v_transposed.data(), &ldu,
              u.data(), &ldvt, workspace, size, &info, 1, 1);
    };
    call(&best, &query);
    ensure(info == 0, "dgesvd accepts its arguments");
    std::vector<double> workspace(static_cast<std::size_t>(best));
    const auto size = static_cast<LapackInt>(workspace.size());
    call(workspace.data(), &size);
    return info;
  }
};

Problem solve(const Matrix& matrix, bool is_turned, bool vectors) {
  const char job = vectors ? 'S' : 'N';
  const auto pose = [&] { return Problem(is_turned ? transpose(matrix) : matrix, vectors); };
  Problem problem = pose();
  if (problem.divide_and_conquer(job) == 0) return problem;
  problem = pose();
  if (problem.qr_iteration(job) == 0) return problem;
  throw Error(
      fmt::format("svd: LAPACK's dgesdd and dgesvd do not converge on a {} matrix of norm {}",
                  matrix.to_string(), frobenius_norm(matrix)));
}

/// Of a matrix with at most as many rows as columns; nothing where the device has none.
std::optional<Svd> solve_on(Decompositions& device, const Matrix& wide) {
  const std::int64_t n = wide.rows(), m = wide.columns();
  std::optional<WideSvd> found = device.svd(n, m, wide.data());
  if (!found) return std::nullopt;
  return Svd{transpose(Matrix(n, n, std::move(found->u))), std::move(found->sigma),
             transpose(Matrix(n, m, std::move(found->v)))};
}

Svd solve_on_host(const Matrix& matrix, bool is_turned) {
  const SingleThreadedBlas one_thread;
  Problem problem = solve(matrix, is_turned, true);
  return {std::move(problem.u), std::move(problem.sigma), transpose(problem.v_transposed)};
}

}  // namespace

void fix_signs(Svd& decomposition) {
  const std::int64_t r = decomposition.rank();
  std::vector<double> signs(static_cast<std::size_t>(r), 1.0);
  std::vector<double> largest(static_cast<std::size_t>(r), 0.0);
  for (std::int64_t row = 0; row < decomposition.in(); ++row) {
    const double* v = decomposition.v.row(row);
    for (std::size_t i = 0; i < signs.size(); ++i) {
      const double magnitude = std::abs(v[i]);
      signs[i] = magnitude > largest[i] ? std::copysign(1.0, v[i]) : signs[i];
      largest[i] = std::max(largest[i], magnitude);
    }
  }
  decomposition.u = scale_columns(std::move(decomposition.u), signs);
  decomposition.v = scale_columns(std::move(decomposition.v), signs);
}

Svd svd(const Matrix& matrix, Decompositions* device) {
  require_decomposable(matrix);
  // A wide matrix row by row is a tall one column by column: LAPACK reduces that by QR and a wide
  // one by LQ, which is slower; cuSOLVER has nothing for wide ones.
  const bool is_turned = matrix.rows() > matrix.columns();
  std::optional<Svd> result;
  if (device != nullptr) result = solve_on(*device, is_turned ? transpose(matrix) : matrix);
  if (!result) result = solve_on_host(matrix, is_turned);
  if (is_turned) std::swap(result->u, result->v);
  fix_signs(*result);
  return std::move(*result);
}

std::vector<double> singular_values(const Matrix& matrix) {
  require_decomposable(matrix);
  const SingleThreadedBlas one_thread;
  return std::move(solve(matrix, matrix.rows() > matrix.columns(), false).sigma);
}

double spectral_norm(const Matrix& matrix) {
  return singular_values(matrix).front();
}

Matrix reconstruct(const Svd& decomposition) {
  return multiply_a_bt(scale_columns(decomposition.u, decomposition.sigma), decomposition.v);
}

}  // namespace basis
