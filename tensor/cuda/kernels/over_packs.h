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

template <int N, class Body>
void over_places(Stream stream, std::int64_t rows, std::int64_t columns, const Body& body) {
  const std::int64_t packs_a_row = columns / N;
  const std::int64_t packs = rows * packs_a_row;
  ensure(packs < (std::int64_t{1} << 31), "a matrix of less than 2^31 packs");
  launch(stream, (packs + over_packs_threads - 1) / over_packs_threads, 1, over_packs_threads, 0,
         over_packs_kernel<N, Body>, static_cast<std::uint32_t>(packs),
         static_cast<std::uint32_t>(packs_a_row), body);
}

/// Calls body(Place<N>) for every element of a (rows, columns) matrix, a pack or one at a time.
/// `Body` is a struct whose call is a __device__ template over N.
template <class Body>
void over_packs(Stream stream, std::int64_t rows, std::int64_t columns, bool in_packs,
                const Body& body) {
  if (in_packs) {
    over_places<pack_size>(stream, rows, columns, body);
  } else {
    over_places<1>(stream, rows, columns, body);
  }
}

/// The same one element at a time, always.
template <class Body>
void over_elements(Stream stream, std::int64_t rows, std::int64_t columns, const Body& body) {
  over_places<1>(stream, rows, columns, body);
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
