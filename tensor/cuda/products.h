#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/backend.h"
#include "tensor/cuda/runtime.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Matrix products: cuBLASLt's on a device, plain kernels on a host thread and where
/// BASIS_CUDA_PLAIN names "matmul".
class Products {
 public:
  Products(Runtime& runtime, bool is_tf32);
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  /// Backend's matmul.
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out);
  /// out = x Wᵀ + bias. weight: (out, in) of x's dtype; bias: (1, out) f32 or absent;
  /// rounded to bf16 where x is, which is what the library's epilogue takes.
  void linear(ConstMatrixView x, ConstMatrixView weight, ConstMatrixView bias, MatrixView out);
  /// dW = beta dW + gᵀ x with dbias = column sums of g in one call; false where there is none.
  bool weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta, MatrixView dweight,
                       double beta_bias, MatrixView dbias);
  /// For `basis info` and run records.
  std::vector<std::pair<std::string, std::string>> description() const;
  /// Backend's product_choices.
  std::vector<std::string> choices() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace basis::cuda::BASIS_CUDA_SIDE
