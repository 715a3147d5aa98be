#pragma once

#include <cstdint>
#include <vector>

#include "spectral/svd.h"

namespace basis {

/// Orthonormal directions that an adapter works in.
struct Basis {
  Matrix u;                   // (out x k)
  Matrix v;                   // (in x k)
  std::vector<double> sigma;  // (k): u_iᵀ W v_i; the singular values unless the basis is random
};

enum class BasisKind : std::uint8_t { Leading, Trailing, Random };

/// "leading", "trailing", "random".
const char* name_of(BasisKind kind);

/// k pairs of the decomposition: the first, the last (both in descending σ), or random orthonormal
/// directions drawn by `seed`. Throws Error that names both when k is below 1 or above the rank.
Basis select_basis(const Svd& decomposition, BasisKind kind, std::int64_t k, std::uint64_t seed);

/// Independent standard normal elements, a function of (seed, purpose).
Matrix random_gaussian(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t purpose);

/// Haar-distributed orthonormal columns (d x k), k <= d: the Q of a Gaussian matrix whose R has a
/// positive diagonal (Mezzadri, arXiv math-ph/0609050). Throws Error for k > d.
Matrix random_orthonormal(std::int64_t d, std::int64_t k, std::uint64_t seed,
                          std::uint64_t purpose = 0);

/// Q₁ diag(σ) Q₂ᵀ with Haar-distributed Q₁ (out x r) and Q₂ (in x r), r = min(out, in): the
/// spectrum-preserving scramble of a weight, and the Haar-rotated change of a fine-tuning
/// (METHODS 2, controls 4 and 2). Throws Error unless there are r singular values.
Matrix random_with_spectrum(const std::vector<double>& sigma, std::int64_t out, std::int64_t in,
                            std::uint64_t seed);

}  // namespace basis
