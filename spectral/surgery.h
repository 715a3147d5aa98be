#pragma once

#include <cstdint>

#include "spectral/matrix.h"
#include "spectral/svd.h"
#include "spectral/svd_basis.h"

namespace basis {

// Which part of a change carries a task, and what of a weight a model cannot do without (METHODS 2,
// "Surgery" and "Lesion").

/// Where a part of a change ΔW (out x in) lies, seen from a basis U_k (out x k), V_k (in x k).
enum class ChangePart : std::uint8_t {
  Diagonal,  // Σ_{i≤k} (u_iᵀ ΔW v_i) u_i v_iᵀ: what `spectral` diagonal can reach
  Core,      // U Uᵀ ΔW V Vᵀ: what `spectral` core can reach
  Left,      // U Uᵀ ΔW: all that writes into the basis
  Right,     // ΔW V Vᵀ: all that reads from it; what PiCa can reach
  Outside    // (I - U Uᵀ) ΔW (I - V Vᵀ)
};

/// "diagonal", "core", "left", "right", "outside".
const char* name_of(ChangePart part);

/// Orthogonal projections: Core + (Left - Core) + (Right - Core) + Outside = ΔW.
/// Throws ShapeError where the basis is of another shape.
Matrix part_of_change(const Matrix& change, const Basis& basis, ChangePart part);

enum class LesionKind : std::uint8_t { Leading, Trailing, Random };

/// "leading", "trailing", "random".
const char* name_of(LesionKind kind);

/// What is left of W = Σ σ_i u_i v_iᵀ when components of together `energy_share` of ‖W‖²_F are
/// taken out: the leading ones, the trailing ones, or ones in an order drawn by `seed`; the last of
/// them in part, so that all kinds take out exactly the same energy. Throws Error for a share
/// outside [0, 1].
Matrix lesioned(const Svd& decomposition, LesionKind kind, double energy_share, std::uint64_t seed);

}  // namespace basis
