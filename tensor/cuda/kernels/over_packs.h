#pragma once

#include "tensor/cuda/storage.h"
#include "tensor/error.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int over_packs_threads = 256;

template <int N, class Body>
__global__ void __launch_bounds__(over_packs_threads)
    over_packs_kernel(std::uint32_t packs, std::uint32_t packs_a_row, Body body) {
  const std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= packs) return;
  const std::uint32_t row = i / packs_a_row;
  body(Place<N>{row, std::int64_t{N} * (i - row * packs_a_row)});
}

/// Calls body(Place<N>) for every element of a (rows, columns) matrix, a pack or one at a time.
/// `Body` is a struct whose call is a __device__ template over N.
template <class Body>
void over_packs(Stream stream, std::int64_t rows, std::int64_t columns, bool in_packs,
                const Body& body) {
  const std::int64_t size = in_packs ? pack_size : 1;
  const std::int64_t packs_a_row = columns / size;
  const std::int64_t packs = rows * packs_a_row;
  ensure(packs < (std::int64_t{1} << 31), "a matrix of at most 2^31 packs");
  const std::int64_t blocks = (packs + over_packs_threads - 1) / over_packs_threads;
  const auto count = static_cast<std::uint32_t>(packs);
  const auto a_row = static_cast<std::uint32_t>(packs_a_row);
  if (in_packs) {
    launch(stream, blocks, 1, over_packs_threads, 0, over_packs_kernel<pack_size, Body>, count,
           a_row, body);
  } else {
    launch(stream, blocks, 1, over_packs_threads, 0, over_packs_kernel<1, Body>, count, a_row,
           body);
  }
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
