#include "tensor/transfer.h"

namespace basis {

void copy_to_device(Backend& backend, const Tensor& host, const Tensor& tensor) {
  ensure(host.device() == DeviceKind::Cpu && tensor.device() == backend.device(),
         "copy_to_device: from the host to the backend's device");
  ensure(host.dtype() == tensor.dtype() && host.element_count() == tensor.element_count(),
         "copy_to_device: tensors of one dtype and size");
  backend.copy_to_device(host.bytes_begin(), tensor.bytes_begin(), tensor.bytes());
}

Tensor to_device(Backend& backend, Allocator& allocator, const Tensor& host) {
  if (backend.device() == host.device()) return host;
  Tensor tensor = Tensor::allocate(allocator, host.shape(), host.dtype(), backend.device());
  copy_to_device(backend, host, tensor);
  return tensor;
}

Tensor to_host(Backend& backend, const Tensor& tensor) {
  if (tensor.device() == DeviceKind::Cpu) return tensor;
  ensure(tensor.device() == backend.device(), "to_host: a tensor of the backend's device");
  Tensor host = Tensor::on_host(tensor.shape(), tensor.dtype());
  backend.copy_to_host(tensor.bytes_begin(), host.bytes_begin(), tensor.bytes());
  return host;
}

}  // namespace basis
