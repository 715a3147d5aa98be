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

/// Which directions (METHODS 1, "Controls").
enum class BasisKind : std::uint8_t {
  Leading,     // the first k pairs, in descending σ
  Trailing,    // the last k
  Random,      // orthonormal directions that know nothing of the weight
  Shuffled,    // the leading ones, u_i with v_π(i), π(i) ≠ i
  Rotated,     // U_k Q and V_k Q': for the core the same functions, so only the optimiser differs
  Activation,  // the k pairs of largest σ_i rms(v_iᵀ x) on text
  OtherSeed,   // the leading ones of the same model from another seed
  Flipped      // the leading ones, u_i and v_i together turned round or not at random: the sign of
               // a pair means nothing, so what layers share must not live by it
};

inline constexpr BasisKind all_basis_kinds[] = {
    BasisKind::Leading, BasisKind::Trailing,   BasisKind::Random,    BasisKind::Shuffled,
    BasisKind::Rotated, BasisKind::Activation, BasisKind::OtherSeed, BasisKind::Flipped};

/// "leading", "trailing", "random", "shuffled", "rotated", "activation", "other-seed",
/// "flipped".
const char* name_of(BasisKind kind);

/// k directions of the decomposition, those that are random drawn by `seed`. Throws Error that
/// names both when k is below 1 or above the rank, or below 2 for Shuffled; and for Activation and
/// OtherSeed, which need more than the weight (activation_basis, basis_of_other).
Basis select_basis(const Svd& decomposition, BasisKind kind, std::int64_t k, std::uint64_t seed);

/// BasisKind::Random for a weight of (out x in) that need not be known; without coefficients.
Basis random_basis(std::int64_t out, std::int64_t in, std::int64_t k, std::uint64_t seed);

/// BasisKind::Activation. second_moment: (in x in), as functional_spectrum wants it.
Basis activation_basis(const Svd& decomposition, const Matrix& second_moment, std::int64_t k);

/// BasisKind::OtherSeed: the directions of another weight's basis for this one. Throws ShapeError
/// where they do not fit.
Basis basis_of_other(const Matrix& weight, const Basis& other);

/// Independent standard normal elements, a function of (seed, purpose).
Matrix random_gaussian(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t purpose);

/// The same, scaled to a Frobenius norm exactly.
Matrix random_of_norm(std::int64_t rows, std::int64_t columns, double norm, std::uint64_t seed,
                      std::uint64_t purpose = 0);

/// u_iᵀ W v_i for the k columns of u (out x k) and v (in x k).
std::vector<double> coefficients_in(const Matrix& weight, const Matrix& u, const Matrix& v);

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
