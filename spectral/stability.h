#pragma once

#include <cstdint>
#include <vector>

#include "spectral/matrix.h"
#include "spectral/rotation.h"
#include "spectral/svd.h"

namespace basis {

// What a change does to the single vectors and coefficients of a decomposition (METHODS 2). A
// vector of r values has one for every singular pair; indices are 0-based.

/// How well pair i is found again after the change. Only the joint sign of a pair is arbitrary, so
/// the products below do not depend on signs: 1 is the same pair, 0 is unrelated.
struct JointStability {
  std::vector<double> diagonal;            // (u_iᵀ u'_i)(v_iᵀ v'_i)
  std::vector<double> matched;             // the largest (u_iᵀ u'_j)(v_iᵀ v'_j) over j <= 2i
  std::vector<std::int64_t> matched_with;  // that j, one for both sides
};
/// "j <= 2i" counts from 1: pair i = 0 may match j = 0, 1.
JointStability joint_stability(const BasisProducts& u, const BasisProducts& v);

/// Mean of `matched` for random bases of an (out x in) matrix, by simulation: the coordinates of a
/// random unit vector in each space. (r) values; about out + in normal numbers a draw.
std::vector<double> matched_stability_chance(std::int64_t out, std::int64_t in, int draws,
                                             std::uint64_t seed);

/// √(2/(π d)): the mean of abs(u_iᵀ u'_j) for random directions in d dimensions, d large.
double cosine_chance(std::int64_t d);

/// Share of the leading `count` (at most r) vectors u'_j with max_i abs(u_iᵀ u'_j) < threshold
/// (arXiv 2410.21228).
double intruder_share(const BasisProducts& products, std::int64_t count = 10,
                      double threshold = 0.5);

/// (σ'_i - σ_i) / σ_i; NaN where both are 0.
std::vector<double> spectrum_shift(const std::vector<double>& sigma,
                                   const std::vector<double>& sigma_after);

/// A change seen from the basis: coordinates Uᵀ ΔW V and how much of ‖ΔW‖²_F the leading block and
/// its diagonal hold. All zero when the change is zero.
struct EnergyInBasis {
  std::vector<double> coefficient_shift;  // (r): u_iᵀ ΔW v_i = u_iᵀ W' v_i - σ_i
  Curve core;                             // ‖U_kᵀ ΔW V_k‖²_F / ‖ΔW‖²_F
  Curve diagonal;                         // Σ_{i≤k} (u_iᵀ ΔW v_i)² / ‖ΔW‖²_F
  Curve core_chance;                      // k² / (out in)
  Curve diagonal_chance;                  // k / (out in)
};
EnergyInBasis energy_in_basis(const Svd& decomposition, const Matrix& change);

/// σ_i rms(v_iᵀ x), where `second_moment` (in x in) is the mean of x xᵀ over a text's inputs: what
/// a direction does beside what its σ_i says. Throws ShapeError.
std::vector<double> functional_spectrum(const Svd& decomposition, const Matrix& second_moment);

/// Wedin's bound on the sine of the largest angle at every k: ‖ΔW‖₂ / (σ_k - σ'_{k+1}), σ'_{r+1} =
/// 0. 1 where the gap is not positive or the bound is larger: it then says nothing.
Curve wedin_bound(const std::vector<double>& sigma, const std::vector<double>& sigma_after,
                  double change_spectral_norm);

/// Neighbours whose gap is below 2 ‖ΔW‖₂ rotate freely among each other: only the subspace of such
/// a group can be stable.
struct GapGroup {
  std::int64_t begin = 0;  // vectors [begin, end)
  std::int64_t end = 0;
  double overlap_u = 0;  // ‖U_Gᵀ U'_G‖²_F / (end - begin)
  double overlap_v = 0;
};
std::vector<GapGroup> gap_groups(const std::vector<double>& sigma, double change_spectral_norm,
                                 const BasisProducts& u, const BasisProducts& v);

}  // namespace basis
