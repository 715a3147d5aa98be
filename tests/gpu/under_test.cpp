#include "tests/cuda/under_test.h"

#include "tensor/cuda/cuda_backend.h"

namespace basis {

std::unique_ptr<Backend> make_cuda_under_test() {
  return make_cuda_backend();
}

bool is_gpu_under_test() {
  return true;
}

}  // namespace basis
