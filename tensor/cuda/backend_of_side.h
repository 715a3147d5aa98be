#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <memory>

#include "tensor/backend.h"
#include "tensor/cuda/cuda_backend.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// The backend on this side's kernels.
std::unique_ptr<Backend> make_backend(const CudaOptions& options);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
