#pragma once

#include <cstdint>
#include <vector>

#include "spectral/matrix.h"
#include "spectral/svd.h"

namespace basis {

// How far singular subspaces turned between two matrices (METHODS 2). A `Curve` holds a quantity
// for k = 1, 2, ..., r: element k - 1 belongs to the leading k vectors. Where a quantity is not
// defined (0 / 0) its element is NaN, and files leave the field empty.
using Curve = std::vector<double>;

/// All inner products of two sets of orthonormal columns, from which the curves of every k are read
/// in O(r²).
struct BasisProducts {
  std::int64_t d = 0;           // dimension of the vectors
  Matrix cosines;               // (r x r): u_iᵀ u'_j
  std::vector<double> outside;  // (r): ‖(I - U Uᵀ) u'_j‖², what no column of U reaches
};

/// u, u_after: (d x r) orthonormal columns. Throws ShapeError when the shapes differ.
BasisProducts basis_products(const Matrix& u, const Matrix& u_after);

/// ‖U_kᵀ U'_k‖²_F / k.
Curve overlap_curve(const BasisProducts& products);

/// ‖(I - U_k U_kᵀ) U'_k‖²_F / k, summed from the parts outside U_k, none of which is found by
/// subtraction: a rotation of 1e-10 keeps ten digits.
Curve rotation_curve(const BasisProducts& products);

/// The same of two bases.
Curve rotation_between(const Matrix& u, const Matrix& u_after);

/// k / d: the overlap of two random subspaces.
Curve overlap_chance(std::int64_t d, std::int64_t r);

/// (overlap - chance) / (1 - chance); not defined at k = d.
Curve corrected_overlap(const Curve& overlap, std::int64_t d);

/// The k angles between span U_k and span U'_k in radians, descending: arcsin of the singular
/// values of (I - U_k U_kᵀ) U'_k. Angles within 1e-8 of π/2 are not resolved. Throws Error for k
/// outside 1..r.
std::vector<double> principal_angles(const Matrix& u, const Matrix& u_after, std::int64_t k);

/// The rotation that a Gaussian change of Frobenius norm `change_norm` causes, to first order:
///   (s²/k)[Σ_{i≤k} Σ_{k<j≤r} (σ_i²+σ_j²)/(σ_i²-σ_j²)² + (d-r) Σ_{i≤k} 1/σ_i²],
/// s² = ‖ΔW‖²_F / (out in), d = out for u and in for v. Infinite where the boundary parts equal
/// singular values or a zero one counts (the first order does not exist there), and far above the
/// true rotation, which is at most about 1 - k/d, where the gap at k is below s.
Curve expected_gaussian_rotation(const std::vector<double>& sigma, std::int64_t d, std::int64_t out,
                                 std::int64_t in, double change_norm);

struct SidedCurves {
  Curve u;
  Curve v;
};

/// Mean rotation over `draws` changes with independent Gaussian elements, each scaled to Frobenius
/// norm `change_norm` exactly. `before` and its decomposition are of one matrix. Costs a
/// decomposition a draw, by `device` where that is given. Throws Error for draws below 1.
SidedCurves simulate_gaussian_rotation(const Matrix& before, const Svd& decomposition,
                                       double change_norm, int draws, std::uint64_t seed,
                                       std::uint64_t purpose = 0, Decompositions* device = nullptr);

/// The same over `draws` changes Q₁ ΔW Q₂ with Haar-distributed rotations, of the singular values
/// `change_sigma` (r) of the true change: what its spectrum alone, low rank say, would do.
SidedCurves simulate_haar_rotation(const Matrix& before, const Svd& decomposition,
                                   const std::vector<double>& change_sigma, int draws,
                                   std::uint64_t seed, Decompositions* device = nullptr);

/// rotation / control; not defined where the control is 0 (k = d, or no change at all) or infinite.
Curve rotation_ratio(const Curve& rotation, const Curve& control);

/// [rot(0,s) + rot(0,t) - rot(s,t)] / (2 √(rot(0,s) rot(0,t))): 0 for independent drifts of two
/// tasks from one start, 1 for the same; not defined where one did not drift.
Curve co_drift(const Curve& start_to_s, const Curve& start_to_t, const Curve& s_to_t);
SidedCurves co_drift(const Svd& start, const Svd& s, const Svd& t);

/// <a, b> / (‖a‖ ‖b‖) of two changes; NaN when one is zero.
double cosine(const Matrix& a, const Matrix& b);

}  // namespace basis
