#pragma once

#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/tiles.h"

// What the tuned attention kernels share: a sequence and head in shared memory, sixteen of its
// queries a warp.

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int tile_rows = 16;

/// A sequence and a head, those of this block. The block behind the last sequence has the rows
/// beyond the last token.
struct HeadPlace {
  std::int64_t first_row;
  int length;
  std::int64_t head, column;
  std::uint32_t example;
  bool is_beyond;

  __device__ HeadPlace(const SequenceView& sequences, int head_size)
      : head(blockIdx.x), column(head * head_size) {
    const auto b = static_cast<std::int64_t>(blockIdx.y);
    is_beyond = b == sequences.sequences;
    first_row = sequences.offsets[b];
    length = static_cast<int>((is_beyond ? sequences.rows : sequences.offsets[b + 1]) - first_row);
    example = static_cast<std::uint32_t>(sequences.first_example + b);
  }
};

/// 16-byte pieces of rows [0, count) of `width` columns, dealt out over the block.
template <class Body>
__device__ void over_pieces(int count, int width, const Body& body) {
  const int pieces = width / pack_size;
  for (int i = static_cast<int>(threadIdx.x); i < count * pieces;
       i += static_cast<int>(blockDim.x)) {
    body(i / pieces, i % pieces * pack_size);
  }
}

/// Copies the head's columns of the sequence into `tile`; zeros behind them up to whole tiles, so
/// that no row meets what stood there before.
__device__ inline void load_rows(SharedTile tile, Rows<const BFloat16> from, const HeadPlace& place,
                                 int width) {
  const int rows = (place.length + tile_rows - 1) / tile_rows * tile_rows;
  over_pieces(rows, width, [&](int row, int column) {
    if (row < place.length) {
      copy_ahead(tile.at(row, column), from.row(place.first_row + row) + place.column + column);
    } else {
      store_four(tile.at(row, column), FourWords{});
    }
  });
}

__device__ inline void zero_rows(Rows<BFloat16> to, const HeadPlace& place, int width) {
  over_pieces(place.length, width, [&](int row, int column) {
    store_four(to.row(place.first_row + row) + place.column + column, FourWords{});
  });
}

/// sums[n] += 16 queries times the 8 keys of tile n: rows [first, first + 16) of q with rows of k.
template <int Keys, int HeadSize>
__device__ void multiply_keys(FragmentC (&sums)[Keys / 8], SharedTile q, SharedTile k, int first,
                              int length) {
#pragma unroll
  for (int d = 0; d < HeadSize; d += 16) {
    const FragmentA a = load_a(q, first, d);
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      if (n * 16 >= length) continue;
      const TwoFragmentsB b = load_b_transposed(k, d, n * 16);
      multiply_add(sums[2 * n], a, b.left);
      multiply_add(sums[2 * n + 1], a, b.right);
    }
  }
}

/// out[d] += sum over keys of the rounded weights times rows of v.
template <int Keys, int HeadSize>
__device__ void multiply_values(FragmentC (&out)[HeadSize / 8],
                                const FragmentC (&weights)[Keys / 8], SharedTile v, int length) {
#pragma unroll
  for (int n = 0; n < Keys / 16; ++n) {
    if (n * 16 >= length) continue;
    const FragmentA a = rounded_a(weights[2 * n], weights[2 * n + 1]);
#pragma unroll
    for (int d = 0; d < HeadSize / 16; ++d) {
      const TwoFragmentsB b = load_b(v, n * 16, d * 16);
      multiply_add(out[2 * d], a, b.left);
      multiply_add(out[2 * d + 1], a, b.right);
    }
  }
}

/// Zero where dropout takes (query, key) away, for the 16 queries and the 8 keys of a tile, which
/// one call serves for each query.
__device__ inline void drop(FragmentC& weights, const HeadPlace& place, Dropout dropout,
                            const StepState* state, int first_query, int tile) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int query = first_query + row_of_sum(lane, 2 * half);
    const std::uint64_t element =
        attention_element(static_cast<std::uint64_t>(place.head), static_cast<std::uint64_t>(query),
                          static_cast<std::uint64_t>(8 * tile));
    const Draws draws =
        draw_eight(static_cast<std::uint32_t>(element / 8), place.example, dropout, state);
    const PhiloxCounter& drawn = draws.drawn;
    const int own = lane % 4;  // the word with this lane's two keys; an index would cost a stack
    const std::uint32_t two = own == 0   ? drawn.word[0]
                              : own == 1 ? drawn.word[1]
                              : own == 2 ? drawn.word[2]
                                         : drawn.word[3];
    if ((two & 0xFFFFu) < dropout.threshold) weights.at[2 * half] = 0;
    if (two >> 16 < dropout.threshold) weights.at[2 * half + 1] = 0;
  }
}

/// Rounds sums of 16 rows to `to`, rows from `first` on; those at or beyond `length` are left out.
template <int Tiles>
__device__ void store_sums(const FragmentC (&sums)[Tiles], Rows<BFloat16> to,
                           const HeadPlace& place, int first) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
  for (int n = 0; n < Tiles; ++n) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + row_of_sum(lane, 2 * half);
      if (row >= place.length) continue;
      BFloat16* at = to.row(place.first_row + row) + place.column + 8 * n + column_of_sum(lane, 0);
      const std::uint32_t two = two_halves(sums[n].at[2 * half], sums[n].at[2 * half + 1]);
      *reinterpret_cast<std::uint32_t*>(at) = two;
    }
  }
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
