#include "tensor/cuda/kernels/attention_long.h"
#include "tensor/cuda/kernels/attention_pairs.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int block_rows = 64;  // of those that a block owns, sixteen a warp
constexpr int block_threads = block_rows / tile_rows * warp_size;
constexpr int step_keys = 64;  // of forward's tiles of keys
constexpr int step_rows = 32;  // of backward's tiles

/// Two tiles side by side, of `Rows` rows: one is worked on while the next is copied.
template <int Rows, int HeadSize>
struct TwoTiles {
  BFloat16* memory;

  __device__ SharedTile<HeadSize> operator[](int step) const {
    return {memory + step % 2 * Rows * HeadSize};
  }
  __device__ BFloat16* end() const { return memory + 2 * Rows * HeadSize; }
};

/// A running softmax of a lane's two queries, in bits.
struct RunningSoftmax {
  float largest[2] = {-__builtin_huge_valf(), -__builtin_huge_valf()};
  float sum[2] = {};

  /// Turns scores of so many keys into weights relative to the largest so far, and tells what
  /// that makes of earlier ones in `earlier`.
  template <int Tiles>
  __device__ void add(FragmentC (&p)[Tiles], float scale, int keys, float (&earlier)[2]) {
    const int lane = lane_of_thread();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = largest[half];
#pragma unroll
      for (int n = 0; n < Tiles; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          const bool is_key = 8 * n + column_of_sum(lane, i) < keys;
          p[n].at[i] = is_key ? p[n].at[i] * scale : -__builtin_huge_valf();
          most = p[n].at[i] > most ? p[n].at[i] : most;
        }
      }
      most = quad_maximum(most);
      float added = 0;
#pragma unroll
      for (int n = 0; n < Tiles; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          p[n].at[i] = fast_power_of_two(p[n].at[i] - most);
          added += p[n].at[i];
        }
      }
      earlier[half] = fast_power_of_two(largest[half] - most);
      sum[half] = sum[half] * earlier[half] + quad_sum(added);
      largest[half] = most;
    }
  }
};

template <int HeadSize>
constexpr std::size_t forward_bytes =
    tile_bytes<block_rows, HeadSize> + 4 * tile_bytes<step_keys, HeadSize>;

template <int HeadSize>
__global__ void __launch_bounds__(block_threads) long_attention_kernel(Bf16Forward of, int blocks) {
  const BlockPlace<block_rows> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) zero_results(of, place, HeadSize);
  if (block.has_none()) return;
  const SharedTile<HeadSize> q{shared_memory<BFloat16>()};
  const TwoTiles<step_keys, HeadSize> k{q.end(block_rows)}, v{k.end()};
  const auto load_keys = [&](int step) {
    load_rows(k[step], of.k, place, step * step_keys, step_keys);
    load_rows(v[step], of.v, place, step * step_keys, step_keys);
  };
  load_rows(q, of.q, place, block.first, block_rows);
  load_keys(0);

  const int first = block.first + first_row_of_warp(), lane = lane_of_thread();
  RunningSoftmax softmax;
  FragmentC out[HeadSize / 8] = {};
  for (int step = 0; step * step_keys < place.length; ++step) {
    wait_for_copies();
    __syncthreads();  // the tiles are there, and nobody is at those before them
    if ((step + 1) * step_keys < place.length) load_keys(step + 1);
    if (first >= place.length) continue;
    const int first_key = step * step_keys, keys = place.length - first_key;
    FragmentC p[step_keys / 8] = {};
    multiply_keys<step_keys, HeadSize>(p, q, k[step], first_row_of_warp(), keys);
    float earlier[2];
    softmax.add(p, of.scale * log2_of_e, keys, earlier);
    if (of.dropout.is_active()) {
#pragma unroll
      for (int n = 0; n < step_keys / 16; ++n) {
        if (16 * n >= keys) continue;
        drop(p + 2 * n, place, of.dropout, of.state, first, first_key + 16 * n);
      }
    }
#pragma unroll
    for (int d = 0; d < HeadSize / 8; ++d) {
#pragma unroll
      for (int i = 0; i < 4; ++i) out[d].at[i] *= earlier[i / 2];
    }
    multiply_values<step_keys, HeadSize>(out, p, v[step], keys);
  }
  if (first >= place.length) return;
  const auto kept_scale = static_cast<float>(of.dropout.scale());
#pragma unroll
  for (int d = 0; d < HeadSize / 8; ++d) {
#pragma unroll
    for (int i = 0; i < 4; ++i) out[d].at[i] *= kept_scale / softmax.sum[i / 2];
  }
  store_sums(out, of.out, place, first);
  if (of.log_sum_exp.data == nullptr || lane % 4 != 0) return;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = first + row_of_sum(lane, 2 * half);
    if (row >= place.length) continue;
    of.log_sum_exp.row(place.first_row + row)[place.head] =
        softmax.largest[half] / log2_of_e + logarithm(softmax.sum[half]);
  }
}

template <int HeadSize>
constexpr std::size_t gradient_bytes = 2 * tile_bytes<block_rows, HeadSize> +
                                       4 * tile_bytes<step_rows, HeadSize> +
                                       2 * block_rows * sizeof(float);

/// dq of 64 queries, and their deltas for the other kernel.
template <int HeadSize>
__global__ void __launch_bounds__(block_threads)
    long_attention_query_gradient_kernel(Bf16Backward of, int blocks, Rows<float> deltas) {
  const BlockPlace<block_rows> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) zero_rows(of.dq, place, HeadSize);
  if (block.has_none()) return;
  auto* log2_sum_exp = shared_memory<float>();
  float* delta = log2_sum_exp + block_rows;
  const SharedTile<HeadSize> q{reinterpret_cast<BFloat16*>(delta + block_rows)};
  const SharedTile<HeadSize> dout{q.end(block_rows)};
  const TwoTiles<step_rows, HeadSize> k{dout.end(block_rows)}, v{k.end()};
  const auto load_keys = [&](int step) {
    load_rows(k[step], of.k, place, step * step_rows, step_rows);
    load_rows(v[step], of.v, place, step * step_rows, step_rows);
  };
  load_rows(q, of.q, place, block.first, block_rows);
  load_rows(dout, of.dout, place, block.first, block_rows);
  load_keys(0);

  const int own = first_row_of_warp(), first = block.first + own;
  keep_statistics<HeadSize>(of, place, first, log2_sum_exp + own, delta + own);
  __syncwarp();
  const int lane = lane_of_thread();
  if (lane < tile_rows && first + lane < place.length) {
    deltas.row(place.first_row + first + lane)[place.head] = delta[own + lane];
  }
  QueryStatistics<RowsAre::Queries> statistics;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    statistics.log2_sum_exp[half] = log2_sum_exp[own + row_of_sum(lane, 2 * half)];
    statistics.delta[half] = delta[own + row_of_sum(lane, 2 * half)];
  }
  FragmentC dq[HeadSize / 8] = {};
  for (int step = 0; step * step_rows < place.length; ++step) {
    wait_for_copies();
    __syncthreads();
    if ((step + 1) * step_rows < place.length) load_keys(step + 1);
    if (first >= place.length) continue;
#pragma unroll
    for (int key = 0; key < step_rows; key += tile_rows) {
      if (step * step_rows + key >= place.length) continue;
      FragmentC scores[2] = {}, weights[2] = {};
#pragma unroll
      for (int d = 0; d < HeadSize; d += 16) {
        multiply_add(scores[0], scores[1], load_a(q, own, d), load_b_transposed(k[step], d, key));
        multiply_add(weights[0], weights[1], load_a(dout, own, d),
                     load_b_transposed(v[step], d, key));
      }
      pair_gradients(scores, weights, statistics, of, place, first, step * step_rows + key);
      multiply_rows<HeadSize>(dq, rounded_a(scores[0], scores[1]), k[step], key);
    }
  }
  store_sums(dq, of.dq, place, first);
}

/// dk and dv of 64 keys.
template <int HeadSize>
__global__ void __launch_bounds__(block_threads)
    long_attention_key_gradient_kernel(Bf16Backward of, int blocks, Rows<const float> deltas) {
  const BlockPlace<block_rows> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) {
    zero_rows(of.dk, place, HeadSize);
    zero_rows(of.dv, place, HeadSize);
  }
  if (block.has_none()) return;
  auto* statistics = shared_memory<float>();  // two tiles of a log_sum_exp and a delta a query
  const SharedTile<HeadSize> k{reinterpret_cast<BFloat16*>(statistics + 2 * block_rows)};
  const SharedTile<HeadSize> v{k.end(block_rows)};
  const TwoTiles<step_rows, HeadSize> q{v.end(block_rows)}, dout{q.end()};
  const auto log2_sum_exp = [&](int step) { return statistics + step % 2 * block_rows; };
  const auto load_queries = [&](int step) {
    load_rows(q[step], of.q, place, step * step_rows, step_rows);
    load_rows(dout[step], of.dout, place, step * step_rows, step_rows);
    const int own = static_cast<int>(threadIdx.x), query = step * step_rows + own;
    if (own >= step_rows) return;
    const bool is_query = query < place.length;
    const int row = place.first_row + query;
    log2_sum_exp(step)[own] =
        is_query ? of.log_sum_exp.row(row)[place.head] * log2_of_e : __builtin_huge_valf();
    log2_sum_exp(step)[step_rows + own] = is_query ? deltas.row(row)[place.head] : 0.0f;
  };
  load_rows(k, of.k, place, block.first, block_rows);
  load_rows(v, of.v, place, block.first, block_rows);
  load_queries(0);

  const int own = first_row_of_warp(), first = block.first + own;
  FragmentC dk[HeadSize / 8] = {}, dv[HeadSize / 8] = {};
  for (int step = 0; step * step_rows < place.length; ++step) {
    wait_for_copies();
    __syncthreads();
    if ((step + 1) * step_rows < place.length) load_queries(step + 1);
    if (first >= place.length) continue;
#pragma unroll 1
    for (int query = 0; query < step_rows; query += tile_rows) {
      if (step * step_rows + query >= place.length) continue;
      FragmentC scores[2] = {}, weights[2] = {};
#pragma unroll
      for (int d = 0; d < HeadSize; d += 16) {
        multiply_add(scores[0], scores[1], load_a(k, own, d), load_b_transposed(q[step], d, query));
        multiply_add(weights[0], weights[1], load_a(v, own, d),
                     load_b_transposed(dout[step], d, query));
      }
      const float* of_queries = log2_sum_exp(step) + query;
      const PairsOfKeys pairs = pairs_of_keys(scores, weights, of_queries, of_queries + step_rows,
                                              of, place, step * step_rows + query, first);
      multiply_rows<HeadSize>(dv, pairs.weights, dout[step], query);
      multiply_rows<HeadSize>(dk, pairs.dscores, q[step], query);
    }
  }
  store_sums(dk, of.dk, place, first);
  store_sums(dv, of.dv, place, first);
}

}  // namespace

void long_attention(Stream stream, const Bf16Forward& of, const AttentionShape& shape) {
  const int blocks = blocks_of<block_rows>(of.sequences);
  with_head_size(shape.head_size, [&](auto head_size) {
    constexpr int size = decltype(head_size)::value;
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads,
           forward_bytes<size>, long_attention_kernel<size>, of, blocks);
  });
}

void long_attention_gradient(Stream stream, const Bf16Backward& of, const AttentionShape& shape,
                             float* deltas) {
  const int blocks = blocks_of<block_rows>(of.sequences);
  with_head_size(shape.head_size, [&](auto head_size) {
    constexpr int size = decltype(head_size)::value;
    const Rows<float> delta_rows{deltas, shape.heads};
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads,
           gradient_bytes<size>, long_attention_query_gradient_kernel<size>, of, blocks,
           delta_rows);
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads,
           gradient_bytes<size>, long_attention_key_gradient_kernel<size>, of, blocks,
           Rows<const float>{deltas, shape.heads});
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
