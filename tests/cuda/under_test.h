#pragma once

#include <memory>
#include <string>

#include "tensor/backend.h"

namespace basis {

/// The CUDA backend that this program's tests run on: the GPU in gpu_tests, elsewhere its kernels
/// on a host thread.
std::unique_ptr<Backend> make_cuda_under_test();

bool is_gpu_under_test();

/// For names of tests.
inline std::string name_of_cuda_under_test() {
  return is_gpu_under_test() ? "cuda" : "cuda_emulated";
}

}  // namespace basis
