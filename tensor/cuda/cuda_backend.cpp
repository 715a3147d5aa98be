#include "tensor/cuda/cuda_backend.h"

#include "tensor/cuda/backend_of_side.h"
#include "tensor/cuda/runtime.h"

namespace basis {

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return cuda::device::make_backend(options);
}

std::string describe_cuda() {
  try {
    std::string text;
    for (const auto& [name, value] : cuda::device::Runtime(0).description()) {
      if (name == "device") continue;
      text += (text.empty() ? "" : "; ") + (name == "processor" ? value : name + " " + value);
    }
    return text;
  } catch (const Error& error) {
    return std::string("built for it, but ") + error.what();
  }
}

}  // namespace basis
