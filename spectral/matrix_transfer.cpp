#include "spectral/matrix_transfer.h"

#include "tensor/transfer.h"

namespace basis {

Matrix host_matrix(Backend& backend, const Tensor& tensor) {
  return to_matrix(to_host(backend, tensor).view());
}

Tensor device_matrix(Backend& backend, Allocator& allocator, const Matrix& matrix, DType dtype) {
  const Tensor host = Tensor::on_host({matrix.rows(), matrix.columns()}, dtype);
  copy_to(matrix, host.view());
  Tensor value = Tensor::allocate(allocator, host.shape(), dtype, backend.device());
  copy_to_device(backend, host, value);
  return value;
}

}  // namespace basis
