#pragma once

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/storage.h"
#include "tensor/cuda/tiles.h"

// What the tuned attention kernels share: rows of a sequence and head in shared memory, sixteen of
// its queries or of its keys a warp.

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int tile_rows = 16;

template <int Rows, int Columns>
constexpr std::size_t tile_bytes = sizeof(BFloat16) * Rows* Columns;

__device__ inline int lane_of_thread() {
  return static_cast<int>(threadIdx.x) % warp_size;
}
/// The warp's first row of those that the block has in tiles of 16.
__device__ inline int first_row_of_warp() {
  return static_cast<int>(threadIdx.x) / warp_size * tile_rows;
}

/// A sequence, that of this block (blockIdx.y), and one of its heads. The block behind the last
/// sequence has the rows beyond the last token.
struct HeadPlace {
  int first_row, length, head, column;
  std::uint32_t example;
  bool is_beyond;

  __device__ HeadPlace(const SequenceView& sequences, int head_size, unsigned of_head)
      : head(static_cast<int>(of_head)), column(head * head_size) {
    const auto b = static_cast<int>(blockIdx.y);
    is_beyond = b == sequences.sequences;
    first_row = sequences.offsets[b];
    const int end = is_beyond ? static_cast<int>(sequences.rows) : sequences.offsets[b + 1];
    length = end - first_row;
    example = static_cast<std::uint32_t>(sequences.first_example + b);
  }

  /// Rows [0, length) up to whole tiles.
  __device__ int tiled_length() const { return (length + tile_rows - 1) / tile_rows * tile_rows; }
};

/// Packs of rows [0, count) of `width` columns, dealt out over the block.
template <class Body>
__device__ void over_pieces(int count, int width, const Body& body) {
  const int pieces = width / pack_size;
  for (int i = static_cast<int>(threadIdx.x); i < count * pieces;
       i += static_cast<int>(blockDim.x)) {
    body(i / pieces, i % pieces * pack_size);
  }
}

/// Asks for the head's columns of rows [first, first + count) of the sequence in `tile`; zeros
/// stand for rows behind its last, so that no row meets what stood there before.
template <int HeadSize>
__device__ void load_rows(SharedTile<HeadSize> tile, Rows<const BFloat16> from,
                          const HeadPlace& place, int first, int count) {
  over_pieces(count, HeadSize, [&](int row, int column) {
    if (first + row < place.length) {
      copy_ahead(tile.at(row, column),
                 from.row(place.first_row + first + row) + place.column + column);
    } else {
      store_four(tile.at(row, column), FourWords{});
    }
  });
}

template <class T>
__device__ void zero_rows(Rows<T> to, const HeadPlace& place, int width) {
  over_pieces(place.length, width, [&](int row, int column) {
    store(to.row(place.first_row + row) + place.column + column, Values<pack_size>{});
  });
}

/// Of a forward pass, for the rows beyond the last token.
template <class T>
__device__ void zero_results(const AttentionForward<T>& of, const HeadPlace& place, int width) {
  zero_rows(of.out, place, width);
  if (of.log_sum_exp.data == nullptr) return;
  for (int row = static_cast<int>(threadIdx.x); row < place.length;
       row += static_cast<int>(blockDim.x)) {
    of.log_sum_exp.row(place.first_row + row)[place.head] = 0;
  }
}

/// Where a block has `Rows` rows of a sequence: the blocks of a sequence stand beside each other in
/// blockIdx.x, those of a head together.
template <int Rows>
struct BlockPlace {
  HeadPlace place;
  int first;  // row of the sequence

  __device__ BlockPlace(const SequenceView& sequences, int head_size, int blocks)
      : place(sequences, head_size, blockIdx.x / static_cast<unsigned>(blocks)),
        first(static_cast<int>(blockIdx.x % static_cast<unsigned>(blocks)) * Rows) {}
  /// Rows beyond the last token are the first block's.
  __device__ bool has_rows_beyond() const { return place.is_beyond && first == 0; }
  __device__ bool has_none() const { return place.is_beyond || first >= place.length; }
};

/// Blocks of the longest sequence.
template <int Rows>
int blocks_of(const SequenceView& sequences) {
  return static_cast<int>((sequences.longest + Rows - 1) / Rows);
}

/// sums[n] += 16 queries times the 8 keys of tile n: rows [first, first + 16) of q with rows of k.
template <int Keys, int HeadSize>
__device__ void multiply_keys(FragmentC (&sums)[Keys / 8], SharedTile<HeadSize> q,
                              SharedTile<HeadSize> k, int first, int keys) {
#pragma unroll
  for (int d = 0; d < HeadSize; d += 16) {
    const FragmentA a = load_a(q, first, d);
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      if (n * 16 >= keys) continue;
      multiply_add(sums[2 * n], sums[2 * n + 1], a, load_b_transposed(k, d, n * 16));
    }
  }
}

/// out[d] += a, 16 columns of it, times rows [first, first + 16) of `rows`.
template <int HeadSize>
__device__ void multiply_rows(FragmentC (&out)[HeadSize / 8], const FragmentA& a,
                              SharedTile<HeadSize> rows, int first) {
#pragma unroll
  for (int d = 0; d < HeadSize / 16; ++d) {
    multiply_add(out[2 * d], out[2 * d + 1], a, load_b(rows, first, d * 16));
  }
}

/// out[d] += sum over keys of the rounded weights times rows of v.
template <int Keys, int HeadSize>
__device__ void multiply_values(FragmentC (&out)[HeadSize / 8],
                                const FragmentC (&weights)[Keys / 8], SharedTile<HeadSize> v,
                                int keys) {
#pragma unroll
  for (int n = 0; n < Keys / 16; ++n) {
    if (n * 16 >= keys) continue;
    multiply_rows<HeadSize>(out, rounded_a(weights[2 * n], weights[2 * n + 1]), v, n * 16);
  }
}

/// Rounds sums of 16 rows to `to`, rows of the sequence from `first` on; those behind its last are
/// left out.
template <int Tiles>
__device__ void store_sums(const FragmentC (&sums)[Tiles], Rows<BFloat16> to,
                           const HeadPlace& place, int first) {
  const int lane = lane_of_thread();
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
