#pragma once

// For tests; not installed.

#include <cstddef>

#include "tensor/allocator.h"

namespace basis::cuda::emulated {

/// The device's memory: the host may touch it while an Access lives, and not otherwise. Whoever
/// reads a tensor of the device by its pointer crashes here as on a GPU.
Block device_memory(std::size_t bytes);

/// What kernels and copies have.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

}  // namespace basis::cuda::emulated
