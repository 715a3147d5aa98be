#pragma once

// For files of tensor/cuda and its tests alone; not installed.

namespace basis::cuda {

/// The one queue of a backend, a cudaStream_t.
struct Stream {
  void* handle = nullptr;
};

}  // namespace basis::cuda
