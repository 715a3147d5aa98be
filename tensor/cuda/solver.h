#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <cstdint>
#include <memory>
#include <string>

#include "tensor/cuda/runtime.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// A = U diag(σ) Vᵀ of A (m x n), m >= n, f64, column by column in the device's memory, as LAPACK
/// has it.
struct SvdOperands {
  std::int64_t m = 0, n = 0;
  double* a = nullptr;      // destroyed
  double* sigma = nullptr;  // (n)
  double* u = nullptr;      // (m x n)
  double* v = nullptr;      // (n x n)
};

/// Singular value decompositions: cuSOLVER's on a device, Jacobi's rotations on a host thread.
class Solver {
 public:
  /// Throws Error where there is no such library.
  explicit Solver(Runtime& runtime);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  /// "cuSOLVER 12.0.4".
  std::string name() const;
  /// Its name and where it was found. Throws as the constructor.
  static std::string describe();

  /// Both queue the work, wait, and return what the library has against the result; empty where
  /// nothing. From one thread at a time.
  ///
  /// By a polar decomposition, whose work is products: fast. `v` becomes V. It moves singular
  /// values close to zero, which counts against it.
  std::string polar(const SvdOperands& operands);
  /// By QR iterations: converges on what the other does not. `v` becomes Vᵀ.
  std::string qr(const SvdOperands& operands);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace basis::cuda::BASIS_CUDA_SIDE
