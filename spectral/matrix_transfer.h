// not installed
#pragma once

#include "spectral/matrix.h"
#include "tensor/backend.h"
#include "tensor/tensor.h"

namespace basis {

/// A matrix of the backend's device, in f64 on the host; a vector as a column.
Matrix host_matrix(Backend& backend, const Tensor& tensor);

/// A matrix as a tensor of a dtype (f32 or f64) on the backend's device.
Tensor device_matrix(Backend& backend, Allocator& allocator, const Matrix& matrix, DType dtype);

}  // namespace basis
