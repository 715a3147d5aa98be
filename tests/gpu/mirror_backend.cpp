#include "tests/gpu/mirror_backend.h"

#include <cstring>

#include "tensor/cpu/memory.h"

namespace basis {

MirrorBackend::MirrorBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

Block MirrorBackend::reserve(std::size_t bytes) {
  return cpu::reserve(bytes);
}
void MirrorBackend::copy_to_device(const void* host, void* device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
}
void MirrorBackend::copy_to_host(const void* device, void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
}

PreparedWeight MirrorBackend::prepare_weight(ConstMatrixView source, DType compute) {
  PreparedWeight prepared;
  mirrored(
      *inner_, memory_,
      [&](ConstMatrixView mapped) { prepared = inner_->prepare_weight(mapped, compute); }, source);
  prepared.source = source;  // each call maps it anew
  return prepared;
}

void MirrorBackend::refresh_weight(const PreparedWeight& weight) {
  mirrored(
      *inner_, memory_,
      [&](ConstMatrixView mapped) {
        inner_->refresh_weight({mapped, weight.copy});
      },
      weight.source);
}

}  // namespace basis
