// What a build without CUDA answers.
#include "tensor/cuda/cuda_backend.h"

namespace basis {

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions&) {
  throw Error(
      "device \"cuda\": this build has no CUDA. Build where nvcc (CUDA 12 or 13) is in the path, "
      "or "
      "with -DBASIS_CUDA=ON to be told what is missing; or compute with device = \"cpu\"");
}

std::string describe_cuda() {
  return "none (built without CUDA)";
}

}  // namespace basis
