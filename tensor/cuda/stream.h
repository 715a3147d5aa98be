#pragma once

namespace basis::cuda {

/// The one queue of a backend, a cudaStream_t.
struct Stream {
  void* handle = nullptr;
};

}  // namespace basis::cuda
