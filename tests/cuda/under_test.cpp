#include "tests/cuda/under_test.h"

#include "tensor/cuda/backend_of_side.h"

namespace basis {

std::unique_ptr<Backend> make_cuda_under_test() {
  return cuda::emulated::make_backend({});
}

bool is_gpu_under_test() {
  return false;
}

}  // namespace basis
