#pragma once

namespace basis::cuda {

/// Whether BASIS_CUDA_PLAIN ("name,name") asks for the plain twin of a tuned kernel.
bool is_plain(const char* kernel);

}  // namespace basis::cuda
