// The device's Runtime on memory of the host, for tests of the libraries that are called with it.
#include <cstring>

#include "tensor/cuda/runtime.h"

namespace basis::cuda::device {

struct Runtime::State {
  int queue = 0;
};
Runtime::Runtime(int) : state_(std::make_unique<State>()) {}
Runtime::~Runtime() = default;
Stream Runtime::stream() const {
  return {&state_->queue};
}
void Runtime::use_on_this_thread() const {}
Block Runtime::reserve(std::size_t bytes) {
  return Block(new std::byte[bytes], [](std::byte* p) { delete[] p; });
}
void Runtime::copy_to_device(const void* host, void* device, std::size_t bytes) {
  std::memcpy(device, host, bytes);
}
void Runtime::copy_to_host(const void* device, void* host, std::size_t bytes) {
  std::memcpy(host, device, bytes);
}

}  // namespace basis::cuda::device
