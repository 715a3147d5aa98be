#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spectral/matrix.h"
#include "tensor/decompositions.h"

namespace basis {

/// W = U diag(σ) Vᵀ for W of (out x in), r = min(out, in). (METHODS 2: sign convention.)
/// The entry of largest magnitude of every v_i is positive (of equal ones the first), u_i follows.
struct Svd {
  Matrix u;                   // (out x r)
  std::vector<double> sigma;  // (r), descending
  Matrix v;                   // (in x r)

  std::int64_t out() const { return u.rows(); }
  std::int64_t in() const { return v.rows(); }
  std::int64_t rank() const { return static_cast<std::int64_t>(sigma.size()); }
};

/// The decomposition in f64 by `device` where that is given and does it, else by LAPACK's divide
/// and conquer, by its QR iteration where that fails. Throws Error when `matrix` is empty, has an
/// element that is not finite (its place is named), or when nothing converges. Same build,
/// processors and thread count: same bits.
Svd svd(const Matrix& matrix, Decompositions* device = nullptr);

/// Singular values only, descending, by LAPACK; about a quarter of the work. Throws as svd does.
std::vector<double> singular_values(const Matrix& matrix);

/// The largest singular value.
double spectral_norm(const Matrix& matrix);

/// Turns every pair (u_i, v_i) so that the entry of largest magnitude of v_i is positive.
void fix_signs(Svd& decomposition);

/// U diag(σ) Vᵀ.
Matrix reconstruct(const Svd& decomposition);

}  // namespace basis
