#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Throws Error with the runtime's words unless `status`, a cudaError_t, is success.
void expect_success(int status, const char* what);

/// A GPU as a backend needs it: one queue, memory, and copies through pinned staging.
class Runtime {
 public:
  /// Throws Error when there is no such device or it is too old.
  explicit Runtime(int device);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Stream stream() const;
  /// Before a thread other than the one that made this calls anything of the device: each begins
  /// with device 0.
  void use_on_this_thread() const;
  /// For `basis info` and run records.
  std::vector<std::pair<std::string, std::string>> description() const;
  /// How many blocks fill the device once.
  int multiprocessors() const;

  /// Throws Error with the amounts asked for and free.
  Block reserve(std::size_t bytes);
  /// The most that reserve has had out at a time.
  std::size_t peak_reserved_bytes() const;
  /// Queued; `host` may be reused at once.
  void copy_to_device(const void* host, void* device, std::size_t bytes);
  /// Waits for all that was queued.
  void copy_to_host(const void* device, void* host, std::size_t bytes);

  /// Queued; at most 4096 bytes.
  std::unique_ptr<HostCopy> begin_copy_to_host(const void* device, std::size_t bytes);

  /// From here to end_recording launches are not run but recorded, and nothing is copied.
  void begin_recording();
  /// What was recorded, to be queued by replay as often as wanted.
  std::shared_ptr<void> end_recording();
  void replay(const std::shared_ptr<void>& recording);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace basis::cuda::BASIS_CUDA_SIDE
