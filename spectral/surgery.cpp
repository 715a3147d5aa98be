#include "spectral/surgery.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

/// B Bᵀ A, for orthonormal columns B.
Matrix onto_columns(const Matrix& b, const Matrix& a) {
  return multiply(b, multiply_at_b(b, a));
}

/// A B Bᵀ.
Matrix onto_rows(const Matrix& a, const Matrix& b) {
  return multiply_a_bt(multiply(a, b), b);
}

Matrix diagonal_part(const Matrix& change, const Basis& basis) {
  return multiply_a_bt(scale_columns(basis.u, coefficients_in(change, basis.u, basis.v)), basis.v);
}

std::vector<std::size_t> order_of_removal(std::size_t rank, LesionKind kind, std::uint64_t seed) {
  std::vector<std::size_t> order(rank);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (kind == LesionKind::Trailing) std::reverse(order.begin(), order.end());
  if (kind != LesionKind::Random) return order;
  RandomStream random(seed, hash_of_name("lesion"));
  for (std::size_t i = rank; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace

const char* name_of(ChangePart part) {
  switch (part) {
    case ChangePart::Diagonal:
      return "diagonal";
    case ChangePart::Core:
      return "core";
    case ChangePart::Left:
      return "left";
    case ChangePart::Right:
      return "right";
    case ChangePart::Outside:
      return "outside";
  }
  return "?";
}

Matrix part_of_change(const Matrix& change, const Basis& basis, ChangePart part) {
  if (basis.u.rows() != change.rows() || basis.v.rows() != change.columns() ||
      basis.u.columns() != basis.v.columns()) {
    throw ShapeError(fmt::format("surgery: a basis {} and {} is not of a change {}",
                                 basis.u.to_string(), basis.v.to_string(), change.to_string()));
  }
  switch (part) {
    case ChangePart::Diagonal:
      return diagonal_part(change, basis);
    case ChangePart::Core:
      return onto_rows(onto_columns(basis.u, change), basis.v);
    case ChangePart::Left:
      return onto_columns(basis.u, change);
    case ChangePart::Right:
      return onto_rows(change, basis.v);
    case ChangePart::Outside: {
      const Matrix not_left = subtract(change, onto_columns(basis.u, change));
      return subtract(not_left, onto_rows(not_left, basis.v));
    }
  }
  throw InternalError("unknown part");
}

const char* name_of(LesionKind kind) {
  switch (kind) {
    case LesionKind::Leading:
      return "leading";
    case LesionKind::Trailing:
      return "trailing";
    case LesionKind::Random:
      return "random";
  }
  return "?";
}

Matrix lesioned(const Svd& decomposition, LesionKind kind, double energy_share,
                std::uint64_t seed) {
  if (!(energy_share >= 0 && energy_share <= 1)) {
    throw Error(fmt::format("lesion: an energy share of {} is not between 0 and 1", energy_share));
  }
  std::vector<double> sigma = decomposition.sigma;
  const double whole = std::inner_product(sigma.begin(), sigma.end(), sigma.begin(), 0.0);
  double left_to_take = energy_share * whole;
  for (const std::size_t i : order_of_removal(sigma.size(), kind, seed)) {
    const double energy = sigma[i] * sigma[i];
    const double taken = std::min(energy, left_to_take);
    // What goes is (1 - a) σ with (1 - a)² σ² = taken: energies of what is removed add up.
    if (energy > 0) sigma[i] *= 1 - std::sqrt(taken / energy);
    left_to_take -= taken;
    if (left_to_take <= 0) break;
  }
  return multiply_a_bt(scale_columns(decomposition.u, sigma), decomposition.v);
}

}  // namespace basis
