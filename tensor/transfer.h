#pragma once

#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

// Between the host's memory and a backend's. Elements that lie in a backend's memory are its
// kernels' to touch, and nobody else's.

namespace basis {

/// A host array as a tensor in the backend's memory.
template <class T>
Tensor to_device(Backend& backend, Allocator& allocator, std::span<const T> values,
                 const Shape& shape) {
  Tensor tensor = Tensor::allocate(allocator, shape, DTypeOf<T>::value, backend.device());
  ensure(static_cast<std::size_t>(tensor.element_count()) == values.size(),
         "to_device: as many values as the shape holds");
  backend.copy_to_device(values.data(), tensor.bytes_begin(), tensor.bytes());
  return tensor;
}

/// A copy in memory of the host's.
Block host_block(std::span<const std::byte> bytes);

/// A device tensor's elements on the host. Waits for the device.
template <class T>
std::vector<T> to_host(Backend& backend, const Tensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.element_count()));
  backend.copy_to_host(tensor.data<T>(), values.data(), tensor.bytes());
  return values;
}

/// A tensor in the host's memory.
template <class T>
Tensor host_tensor(std::span<const T> values, const Shape& shape) {
  const Block block = host_block(std::as_bytes(values));
  ensure(static_cast<std::size_t>(shape.element_count()) == values.size(),
         "host_tensor: as many values as the shape holds");
  return Tensor(block, block.get(), shape, DTypeOf<T>::value, DeviceKind::Cpu);
}

/// `tensor` where the host may read it: itself where the backend computes in the host's memory,
/// else a copy. Waits.
Tensor on_host(Backend& backend, const Tensor& tensor);
/// A tensor of the host's where the backend computes: itself, or a copy.
Tensor on_backend(Backend& backend, Allocator& allocator, const Tensor& tensor);

/// on_host of named tensors.
std::vector<std::pair<std::string, Tensor>> on_host(
    Backend& backend, std::vector<std::pair<std::string, Tensor>> tensors);

}  // namespace basis
