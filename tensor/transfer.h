#pragma once

#include <span>
#include <vector>

#include "tensor/backend.h"
#include "tensor/tensor.h"

// The only way from a host's array to a device's tensor and back. Elsewhere a tensor's pointer goes
// to kernels and is not followed: it may point into a GPU.

namespace basis {

/// Overwrites the first elements of `tensor`, as many as there are `values`.
template <class T>
void copy_to_device(Backend& backend, std::span<const T> values, const Tensor& tensor) {
  ensure(std::ssize(values) <= tensor.element_count(), "copy_to_device: values fit the tensor");
  backend.copy_to_device(values.data(), tensor.data<T>(), values.size_bytes());
}

/// A host array as a tensor in the backend's memory.
template <class T>
Tensor to_device(Backend& backend, Allocator& allocator, std::span<const T> values,
                 const Shape& shape) {
  Tensor tensor = Tensor::allocate(allocator, shape, DTypeOf<T>::value, backend.device());
  ensure(static_cast<std::size_t>(tensor.element_count()) == values.size(),
         "to_device: as many values as the shape holds");
  copy_to_device(backend, values, tensor);
  return tensor;
}

/// A device tensor's elements on the host. Waits for the device.
template <class T>
std::vector<T> to_host(Backend& backend, const Tensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.element_count()));
  backend.copy_to_host(tensor.data<T>(), values.data(), tensor.bytes());
  return values;
}

/// Overwrites `tensor` with one in the host's memory of the same dtype and as many elements.
void copy_to_device(Backend& backend, const Tensor& host, const Tensor& tensor);

/// A tensor in the host's memory (a mapped file's, say) in the backend's: where that is the host's
/// the tensor itself, without a copy.
Tensor to_device(Backend& backend, Allocator& allocator, const Tensor& host);

/// A tensor in the host's memory: where the backend's memory is that the tensor itself, without a
/// copy. Waits for the device.
Tensor to_host(Backend& backend, const Tensor& tensor);

}  // namespace basis
