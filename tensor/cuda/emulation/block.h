#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>

namespace basis::cuda::emulated {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

/// Of the thread that runs now, as kernels read them.
extern Index3 threadIdx, blockIdx, blockDim, gridDim;

/// Runs `body` once for each thread of a grid: block after block, the threads of a block in turns
/// on this host thread. One that waits for others hands over; one that never waits costs a
/// function call. `threads` in a block, a multiple of 32. Throws InternalError when threads wait
/// for ever: at a barrier that not all of them reach.
void run_grid(Index3 blocks, unsigned threads, std::size_t shared_bytes,
              const std::function<void()>& body);

// ---- What a running thread may ask for ----------------------------------------------------------

/// __syncthreads.
void wait_for_block();

constexpr std::size_t most_bytes_a_lane = 64;
const void* exchange_bytes(const void* value, std::size_t bytes);

/// Leaves `value` for the other lanes of the warp and gives what all 32 left, in order of lanes.
/// Valid until the lane's next but one exchange.
template <class T>
const T* exchange(const T& value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= most_bytes_a_lane);
  return static_cast<const T*>(exchange_bytes(&value, sizeof(T)));
}

/// The block's dynamic shared memory; begins as all ones, NaN in every float.
void* dynamic_shared_memory();

}  // namespace basis::cuda::emulated
