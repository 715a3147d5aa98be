// Runtime without a GPU: memory and copies of the host.
#include "tensor/cuda/runtime.h"

#include <cstring>

#include "tensor/cpu/memory.h"
#include "tensor/error.h"

namespace basis::cuda::emulated {

struct Runtime::State {};

Runtime::Runtime(int) : state_(std::make_unique<State>()) {}
Runtime::~Runtime() = default;

void expect_success(int status, const char* what) {
  ensure(status == 0, what);
}

Stream Runtime::stream() const {
  return {};
}
std::vector<std::pair<std::string, std::string>> Runtime::description() const {
  return {{"device", "cuda, emulated on a host thread"}};
}
int Runtime::multiprocessors() const {
  return 4;
}
Block Runtime::reserve(std::size_t bytes) {
  return cpu::reserve(bytes);
}
void Runtime::copy_to_device(const void* host, void* device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
}
void Runtime::copy_to_host(const void* device, void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
}

}  // namespace basis::cuda::emulated
