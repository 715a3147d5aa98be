#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <memory>
#include <string>

#include "tensor/cuda/runtime.h"
#include "tensor/decompositions.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// The solver's SVD: by its polar decomposition, by QR iterations where that says that it is not
/// accurate or is found not to be. Null where there is no library and where BASIS_CUDA_PLAIN names
/// "svd". `runtime` must outlive it.
std::unique_ptr<Decompositions> make_decompositions(Runtime& runtime);

/// Who decomposes, for `basis info` and run records, and why where it is LAPACK.
std::string describe_svd();

}  // namespace basis::cuda::BASIS_CUDA_SIDE
