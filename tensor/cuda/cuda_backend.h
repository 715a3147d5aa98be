#pragma once

#include <memory>
#include <string>

#include "tensor/backend.h"

namespace basis {

struct CudaOptions {
  int device = 0;        // of those that CUDA_VISIBLE_DEVICES leaves
  bool is_tf32 = false;  // f32 products on TF32 tensor cores: 10 bits of mantissa, 8 times as fast
};

/// One NVIDIA GPU of compute capability 8.0 or more: cuBLASLt for products, own kernels for
/// everything else. Tensors are f32 or bf16. Throws Error, with what is there and what to try, in a
/// build without CUDA, without such a GPU, and without cuBLASLt.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});

/// For `basis info`: the GPU that make_cuda_backend would take, or why there is none.
std::string describe_cuda();

}  // namespace basis
