#pragma once

#include <algorithm>

#include "tensor/cuda/storage.h"

// Sums over the rows of a matrix in a fixed order: blocks sum parts of the rows, a second kernel
// sums the parts.

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int column_sums_threads = 256;

/// Parts that so many rows are summed in: by their number alone, whatever the device.
inline std::int64_t column_sum_parts(std::int64_t rows) {
  constexpr std::int64_t rows_a_part = 64, most_parts = 256;
  return std::clamp<std::int64_t>((rows + rows_a_part - 1) / rows_a_part, 1, most_parts);
}

/// Of column_sums for one sum: f32.
inline std::size_t column_sums_bytes(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(column_sum_parts(rows) * columns) * sizeof(float);
}

/// Sums terms(Place<N>), which gives Values<N>, over the rows of one part: block (x, y) has the
/// 32 N columns from 32 N x on and part y. Its warps deal the rows out among themselves; in the end
/// the first adds up what all have, in order.
template <int N, class Terms>
__global__ void __launch_bounds__(column_sums_threads)
    column_parts_kernel(std::int64_t rows, std::int64_t columns, Terms terms, float* parts) {
  constexpr int warps = column_sums_threads / warp_size;
  __shared__ float sums[warps][warp_size * N];
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t column = (std::int64_t{blockIdx.x} * warp_size + lane) * N;
  const std::int64_t first = rows * blockIdx.y / gridDim.y;
  const std::int64_t last = rows * (blockIdx.y + 1) / gridDim.y;
  Values<N> sum = {};
  if (column < columns) {
#pragma unroll 4
    for (std::int64_t row = first + warp; row < last; row += warps) {
      const Values<N> term = terms(Place<N>{row, column});
      for (int i = 0; i < N; ++i) sum.at[i] += term.at[i];
    }
  }
  for (int i = 0; i < N; ++i) sums[warp][lane * N + i] = sum.at[i];
  __syncthreads();
  if (warp > 0 || column >= columns) return;
  for (int w = 1; w < warps; ++w) {
    for (int i = 0; i < N; ++i) sum.at[i] += sums[w][lane * N + i];
  }
  store<N>(parts + blockIdx.y * columns + column, sum);
}

/// out = beta out + alpha (the sum of `parts` rows of n numbers each).
void sum_parts(Stream, const float* parts, std::int64_t count, double alpha, double beta,
               MatrixView out);

/// out_j = beta out_j + alpha sum over rows of terms. `parts`: column_sums_bytes(rows, columns).
template <class Terms>
void column_sums(Stream stream, std::int64_t rows, std::int64_t columns, bool in_packs,
                 const Terms& terms, double alpha, double beta, MatrixView out, float* parts) {
  const std::int64_t count = column_sum_parts(rows);
  const std::int64_t width = warp_size * (in_packs ? pack_size : 1);
  launch(stream, (columns + width - 1) / width, count, column_sums_threads, 0,
         in_packs ? column_parts_kernel<pack_size, Terms> : column_parts_kernel<1, Terms>, rows,
         columns, terms, parts);
  sum_parts(stream, parts, count, alpha, beta, out);
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
