#pragma once

// For files of tensor/cuda and its tests alone; not installed.

// The words that kernels are written in. Under nvcc they are CUDA's. For another compiler they mean
// the same on one host thread, so that every kernel's indices, waiting and arithmetic run under
// tests and sanitizers where there is no GPU. A file that includes this is compiled for both sides;
// BASIS_CUDA_SIDE is `device` or `emulated`, the namespace of what it defines.

#include <cstddef>
#include <cstdint>

#include "tensor/cuda/stream.h"

#if defined(__CUDACC__)
#include "tensor/cuda/device_words.h"
#else
#include "tensor/cuda/emulation/words.h"
#endif

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int warp_size = 32;

/// Blocks that the device is given: (x, y). Threads stand in one row, so threadIdx.x is the place
/// in the block.
struct Grid {
  std::int64_t x = 1;
  std::int64_t y = 1;
};

/// lanes_sum and lanes_maximum over a warp, over the lanes that share a row of mma's results, and
/// over eight.
template <class T>
__device__ T warp_sum(T value) {
  return lanes_sum<warp_size>(value);
}
template <class T>
__device__ T warp_maximum(T value) {
  return lanes_maximum<warp_size>(value);
}
template <class T>
__device__ T quad_sum(T value) {
  return lanes_sum<4>(value);
}
template <class T>
__device__ T quad_maximum(T value) {
  return lanes_maximum<4>(value);
}
template <class T>
__device__ T octet_sum(T value) {
  return lanes_sum<8>(value);
}
template <class T>
__device__ T octet_maximum(T value) {
  return lanes_maximum<8>(value);
}

/// Sum of `value` over the block, the same bits in every thread: a tree in each warp, then over the
/// warps in order. `scratch`: 32 numbers in shared memory. All threads take part; blockDim.x is a
/// multiple of 32. Waits at its beginning, so that scratch may be in use before.
template <class T>
__device__ T block_sum(T value, T* scratch) {
  value = warp_sum(value);
  const int warps = static_cast<int>(blockDim.x) / warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  __syncthreads();
  if (threadIdx.x % warp_size == 0) scratch[warp] = value;
  __syncthreads();
  T sum = scratch[0];
  for (int w = 1; w < warps; ++w) sum += scratch[w];
  return sum;
}

/// The largest `value` of the block; otherwise as block_sum.
template <class T>
__device__ T block_maximum(T value, T* scratch) {
  value = warp_maximum(value);
  const int warps = static_cast<int>(blockDim.x) / warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  __syncthreads();
  if (threadIdx.x % warp_size == 0) scratch[warp] = value;
  __syncthreads();
  T maximum = scratch[0];
  for (int w = 1; w < warps; ++w) maximum = scratch[w] > maximum ? scratch[w] : maximum;
  return maximum;
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
