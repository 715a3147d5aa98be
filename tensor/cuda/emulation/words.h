#pragma once

// For files of tensor/cuda and its tests alone; not installed.

// CUDA's words on one host thread, for the tests. See tensor/cuda/device.h and block.h.

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "tensor/cuda/emulation/block.h"
#include "tensor/cuda/emulation/recording.h"
#include "tensor/cuda/stream.h"

#define __global__
#define __device__
// Blocks run one after the other on one thread: what they share is one variable.
#define __shared__ static
#define __launch_bounds__(...)

namespace basis::cuda::emulated {

inline void __syncthreads() {
  wait_for_block();
}
inline void __syncwarp() {
  exchange(char{0});
}

template <class T>
T* shared_memory() {
  return static_cast<T*>(dynamic_shared_memory());
}

/// Combines what the lanes that differ from this one in the bits below `lanes` have left, as a
/// tree.
template <class T, class Combine>
T combine_lanes(T value, int lanes, const Combine& combine) {
  const T* left = exchange(value);
  T values[32];
  for (int lane = 0; lane < 32; ++lane) values[lane] = left[lane];
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    T next[32];
    for (int lane = 0; lane < 32; ++lane) next[lane] = combine(values[lane], values[lane ^ offset]);
    for (int lane = 0; lane < 32; ++lane) values[lane] = next[lane];
  }
  return values[threadIdx.x % 32];
}

template <int Lanes, class T>
T lanes_sum(T value) {
  return combine_lanes(value, Lanes, [](T a, T b) { return a + b; });
}
template <int Lanes, class T>
T lanes_maximum(T value) {
  return combine_lanes(value, Lanes, [](T a, T b) { return b > a ? b : a; });
}

inline float fast_power_of_two(float x) {
  return std::exp2(x);
}

inline unsigned warp_ballot(bool is_yes) {
  const bool* said = exchange(is_yes);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) bits |= static_cast<unsigned>(said[lane]) << lane;
  return bits;
}

template <class... Parameters, class... Arguments>
void launch(Stream, std::int64_t blocks_x, std::int64_t blocks_y, int threads,
            std::size_t shared_bytes, void (*kernel)(Parameters...), Arguments... arguments) {
  if (blocks_x == 0 || blocks_y == 0) return;
  // A kernel's arguments are copied when it is queued.
  run_or_record([=] {
    run_grid({static_cast<unsigned>(blocks_x), static_cast<unsigned>(blocks_y), 1},
             static_cast<unsigned>(threads), shared_bytes, [&] { kernel(arguments...); });
  });
}

}  // namespace basis::cuda::emulated
