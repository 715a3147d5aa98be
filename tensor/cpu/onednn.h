#pragma once

#include <memory>
#include <string>

#include "tensor/cpu/isa.h"
#include "tensor/view.h"

namespace basis::cpu {

/// Matrix products by oneDNN: the one place that knows the library, versions 2 and 3. A build
/// without it has onednn_none.cpp instead.
///
/// Of each product that it has met it keeps a compiled primitive (about 0.2 ms to make), at most
/// `most_primitives`; scratch is one buffer that grows to the largest. Calls from one thread.
///
/// Some kernels of version 2 use the stack pointer as a register. A program with signal handlers
/// gives the threads that compute an alternate stack (sigaltstack, SA_ONSTACK): without it a
/// handler's frame goes over memory that is none of its own.
class OneDnn {
 public:
  static constexpr std::size_t most_primitives = 2048;

  explicit OneDnn(int threads);
  ~OneDnn();
  OneDnn(const OneDnn&) = delete;
  OneDnn& operator=(const OneDnn&) = delete;

  /// "2.6.3"; empty where this build has no oneDNN.
  static std::string version();
  /// Keeps its kernels to those of `isa`. Works until the first product of the process.
  static void limit_to(Isa isa);

  /// out = alpha op(a) op(b) + beta out, or with a bias (alpha 1, beta 0) op(a) op(b) + bias.
  ///   a, b: both f32 or both bf16   bias: (1, columns) f32 or absent   out: f32 or their dtype
  ///   beta: 0 or 1, at 0 what stands in `out` does not matter
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, ConstMatrixView bias, double beta, MatrixView out);

  /// dweight = gᵀ x and dbias = column sums of g in one call.
  ///   g: (T, out), x: (T, in), contiguous   dweight: (out, in), dbias: (1, out) f32, contiguous
  void weight_gradient(ConstMatrixView g, ConstMatrixView x, MatrixView dweight, MatrixView dbias);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace basis::cpu
