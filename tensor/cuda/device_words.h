#pragma once

// For files of tensor/cuda and its tests alone; not installed.

// CUDA's own words are built into nvcc; these are the ones that Basis adds (tensor/cuda/device.h).

#include <cuda_runtime.h>

#include "tensor/cuda/runtime.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr unsigned all_lanes = 0xFFFFFFFFu;

/// Memory that a launch asked for, 16-byte aligned.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char memory[];
  return reinterpret_cast<T*>(memory);
}

/// Sum over each `Lanes` lanes that stand beside each other, a power of two of them, as a tree: the
/// same bits in each. All lanes of the warp take part.
template <int Lanes, class T>
__device__ T lanes_sum(T value) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(all_lanes, value, offset);
  }
  return value;
}

/// The largest `value`; otherwise as lanes_sum.
template <int Lanes, class T>
__device__ T lanes_maximum(T value) {
#pragma unroll
  for (int offset = Lanes / 2; offset > 0; offset /= 2) {
    const T other = __shfl_xor_sync(all_lanes, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

/// 2^x within 2 ulp, 0 where that is below the least normal number: one instruction.
__device__ inline float fast_power_of_two(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

/// Bit l: whether lane l says yes. All lanes take part.
__device__ inline unsigned warp_ballot(bool is_yes) {
  return __ballot_sync(all_lanes, is_yes);
}

/// Queues kernel(arguments...). Throws Error when the device refuses it.
template <class... Parameters, class... Arguments>
void launch(Stream stream, std::int64_t blocks_x, std::int64_t blocks_y, int threads,
            std::size_t shared_bytes, void (*kernel)(Parameters...), Arguments... arguments) {
  constexpr std::size_t granted_bytes = 48 * 1024;  // more only on request
  if (blocks_x == 0 || blocks_y == 0) return;
  if (shared_bytes > granted_bytes) {
    expect_success(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(shared_bytes)),
                   "shared memory of a kernel");
  }
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks_x), static_cast<unsigned>(blocks_y));
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  expect_success(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
                 "launch of a kernel");
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
