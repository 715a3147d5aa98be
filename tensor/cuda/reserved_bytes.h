#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <algorithm>
#include <cstddef>
#include <mutex>

namespace basis::cuda {

/// Memory of a device that is out, and the most that has been.
class ReservedBytes {
 public:
  void add(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    now_ += bytes;
    peak_ = std::max(peak_, now_);
  }
  void remove(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    now_ -= bytes;
  }
  std::size_t peak() const {
    const std::lock_guard lock(mutex_);
    return peak_;
  }

 private:
  mutable std::mutex mutex_;  // blocks are given back by any thread
  std::size_t now_ = 0, peak_ = 0;
};

}  // namespace basis::cuda
