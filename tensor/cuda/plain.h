#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <span>
#include <string>

namespace basis::cuda {

/// Whether BASIS_CUDA_PLAIN, names with commas between or "all", asks for the plain twin of a tuned
/// kernel. Read once. Throws Error for a name that no kernel has.
bool is_plain(const char* kernel);

/// Kernels that have a plain twin: "packs" stands for all that read and write 16 bytes at a time,
/// "optimizer" for those that take all stretches of memory in one launch.
std::span<const char* const> plain_names();
/// Whether `list` has `kernel`. Throws as is_plain.
bool names_kernel(const std::string& list, const std::string& kernel);

}  // namespace basis::cuda
