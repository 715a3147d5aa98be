#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

struct PerturbationOptions {
  enum class Kind : std::uint8_t { None, Sam, Go };
  Kind kind = Kind::None;
  double size = 0;           // rho of SAM, sigma of GO
  bool is_relative = false;  // GO: sigma in units of each tensor's ‖W‖_F/√n
};

/// A parameter's values, as noise moves them.
struct MovedPart {
  MatrixView values;         // (1, n)
  std::int64_t count = 0;    // of numbers that stand for something
  std::uint64_t stream = 0;  // of its noise: a hash of its name
};

/// What moves trained values aside for a gradient and puts them back. Sharpness-aware minimisation
/// (SAM, arXiv 2010.01412) takes it at θ + ρ g/‖g‖, g the gradient at θ over all parameters; GO
/// (arXiv 2505.17646) at θ + ε, ε ~ N(0, σ²). Values are copied before and copied back after, so
/// that they have their own bits again; what reads or saves them never sees the moved ones.
///
/// The noise of an element is a function of the run's seed, the step, its parameter's name and its
/// place there: the same on every device, by any number of threads, however a batch is cut and
/// after a resume.
class Perturbation {
 public:
  /// For so many flat values of that dtype.
  Perturbation(Backend&, Allocator&, const PerturbationOptions&, const Tensor& flat_values);

  PerturbationOptions::Kind kind() const { return options_.kind; }
  bool is_on() const { return kind() != PerturbationOptions::Kind::None; }

  /// Copies the flat values; they are the parts' from now on until put_back.
  void keep();
  void put_back();

  /// GO's noise on each part.
  void add_noise(std::span<const MovedPart> parts, const StepState* state);
  /// The norm of all gradients, by which SAM's moves are divided.
  void measure(std::span<const ConstMatrixView> gradients);
  /// out[rows] += ρ gradient / norm; rows absent: all.
  void add_gradient(ConstMatrixView gradient, ConstMatrixView rows, MatrixView out);

 private:
  Backend& backend_;
  PerturbationOptions options_;
  Tensor values_, kept_;  // flat
  Tensor squared_norm_;   // (1, 1) f64
};

}  // namespace basis
