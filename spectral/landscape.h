#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "nn/parameter.h"
#include "spectral/svd_basis.h"

namespace basis {

// The score of a model around its parameters θ (arXiv 2505.17646; METHODS 3). What is moved is a
// list of parameters: all of a model, or an adapter's coefficients alone.

using ParameterList = std::vector<Parameter*>;

/// Elements of all of them, n.
std::int64_t element_count(const ParameterList& parameters);

/// A direction δ in their space: a tensor for each parameter, of its shape and dtype.
using Direction = std::vector<Tensor>;

/// δ ~ N(0, I), a function of (seed, place, the parameters' names): most-case.
Direction gaussian_direction(Backend&, Allocator&, const ParameterList&, std::uint64_t seed,
                             std::uint64_t place);
/// other - θ, of which SFT-case is the part of norm √n. `other` has a tensor for each parameter.
Direction difference_to(Backend&, Allocator&, const ParameterList&, std::span<const Tensor> other);

/// Each tensor of δ to the norm of the parameter's; of a parameter of zeros to none.
void scale_by_tensor(Backend&, Allocator&, const ParameterList&, Direction& direction);
/// Each tensor of δ, drawn from N(0, I), by ‖W‖_F / √n_W of its parameter: noise of this size times
/// σ is σ in relative units.
void scale_by_root_mean_square(Backend&, Allocator&, const ParameterList&, Direction& direction);

/// Noise within a basis: U R Vᵀ, R (k x k) drawn from N(0, I) by (seed, place, name), scaled to
/// Frobenius norm `norm`.
Matrix noise_in_basis(const Basis& basis, double norm, std::uint64_t seed, std::uint64_t place,
                      const std::string& name);

/// ‖δ‖ over all tensors.
double norm_of(Backend&, Allocator&, const Direction& direction);
/// All of δ times a number.
void scale(Backend&, Direction& direction, double factor);

/// Gradients of a loss by parameter, in the order of the list.
using GradientFunction = std::function<Direction()>;

/// The δ of ‖δ‖² = n that gradient ascent finds from a Gaussian start: at θ + αδ, each of `steps`
/// moves δ by `rate` · √n along the normalised gradient of `gradient` and scales it back to √n.
/// Worst-case. The parameters are θ again after it.
Direction worst_direction(Backend&, Allocator&, const ParameterList&,
                          const GradientFunction& gradient, double alpha, int steps, double rate,
                          std::uint64_t seed);

/// Parameters moved off their values, which are kept and put back bit for bit, never subtracted.
class Displacement {
 public:
  Displacement(Backend&, Allocator&, ParameterList parameters);
  ~Displacement() { put_back(); }
  Displacement(const Displacement&) = delete;
  Displacement& operator=(const Displacement&) = delete;

  struct Move {
    double alpha = 0;
    const Direction* direction = nullptr;
  };
  /// θ + Σ α δ: one move is a slice, two are a point of a plane.
  void move(std::span<const Move> moves);
  void move(double alpha, const Direction& direction);
  void put_back();

 private:
  Backend& backend_;
  ParameterList parameters_;
  std::vector<Tensor> kept_;   // θ
  std::vector<Tensor> moved_;  // memory of what stands in its place
  bool is_moved_ = false;
};

}  // namespace basis
