#include "tensor/transfer.h"

#include <algorithm>

#include "tensor/cpu/memory.h"

namespace basis {

Block host_block(std::span<const std::byte> bytes) {
  Block block = cpu::reserve(bytes.size());
  std::copy(bytes.begin(), bytes.end(), block.get());
  return block;
}

Tensor on_host(Backend& backend, const Tensor& tensor) {
  if (tensor.device() == DeviceKind::Cpu) return tensor;
  const Block block = cpu::reserve(tensor.bytes());
  backend.copy_to_host(tensor.bytes_begin(), block.get(), tensor.bytes());
  return Tensor(block, block.get(), tensor.shape(), tensor.dtype(), DeviceKind::Cpu);
}

Tensor on_backend(Backend& backend, Allocator& allocator, const Tensor& tensor) {
  if (tensor.device() == backend.device()) return tensor;
  Tensor copy = Tensor::allocate(allocator, tensor.shape(), tensor.dtype(), backend.device());
  backend.copy_to_device(tensor.bytes_begin(), copy.bytes_begin(), tensor.bytes());
  return copy;
}

std::vector<std::pair<std::string, Tensor>> on_host(
    Backend& backend, std::vector<std::pair<std::string, Tensor>> tensors) {
  for (auto& [name, tensor] : tensors) tensor = on_host(backend, tensor);
  return tensors;
}

}  // namespace basis
