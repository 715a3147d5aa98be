#pragma once

#include <string>
#include <vector>

#include "tensor/cpu/cpu_backend.h"
#include "tests/cuda/under_test.h"

namespace basis::oracle {

/// What a test computes in, and how near to PyTorch's f64 it comes (README.md).
struct Precision {
  DType dtype;
  double outputs;    // logits and losses: absolute
  double gradients;  // of the tensor's largest entry
  bool is_cuda = false;

  std::unique_ptr<Backend> make_backend() const {
    return is_cuda ? make_cuda_under_test() : make_cpu_backend();
  }
  /// "f64", "f32_cuda_emulated".
  std::string name() const {
    return name_of(dtype) + (is_cuda ? "_" + name_of_cuda_under_test() : "");
  }
  friend void PrintTo(const Precision& precision, std::ostream* out) { *out << precision.name(); }
};

// f64 agrees to rounding, f32 to what its sums over H and F allow.
constexpr Precision f64{DType::F64, 1e-9, 1e-9};
constexpr Precision f32{DType::F32, 1e-4, 1e-4};
constexpr Precision f32_cuda{DType::F32, 1e-4, 1e-4, true};
// Its bounds depend on depth: ForwardInBf16.
constexpr Precision bf16{DType::BF16, 0, 0};
constexpr Precision bf16_cuda{DType::BF16, 0, 0, true};

/// Those of `all` that this program can compute in: in gpu_tests the GPU's.
inline std::vector<Precision> precisions(const std::vector<Precision>& all) {
  std::vector<Precision> ours;
  for (const Precision& one : all) {
    if (one.is_cuda || !is_gpu_under_test()) ours.push_back(one);
  }
  return ours;
}

}  // namespace basis::oracle
