#pragma once

// For files of tensor/cuda and its tests alone; not installed.

namespace basis::cuda {

/// Whether BASIS_CUDA_PLAIN ("name,name") asks for the plain twin of a tuned kernel.
bool is_plain(const char* kernel);

}  // namespace basis::cuda
