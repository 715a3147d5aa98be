#pragma once

#include <vector>

#include "tensor/packed.h"

namespace basis {

/// The elements of an f32 or f64 tensor, to be compared whatever the test computes in.
inline std::vector<double> as_doubles(Backend& backend, const Tensor& tensor) {
  if (tensor.dtype() == DType::F64) return to_host<double>(backend, tensor);
  const std::vector<float> narrow = to_host<float>(backend, tensor);
  return {narrow.begin(), narrow.end()};
}

/// A tensor of `dtype`, f32 or f64, in the backend's memory.
inline Tensor from_doubles(Backend& backend, Allocator& memory, const std::vector<double>& values,
                           const Shape& shape, DType dtype) {
  if (dtype == DType::F64) return to_device<double>(backend, memory, values, shape);
  const std::vector<float> narrow(values.begin(), values.end());
  return to_device<float>(backend, memory, narrow, shape);
}

}  // namespace basis
