#include "tensor/cuda/kernels/attention_f32.h"
#include "tensor/cuda/kernels/attention_tiles.h"
#include "tensor/cuda/kernels/mask.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

// A block owns rows (queries, or keys in the gradient of keys and values) and goes over tiles of 32
// of the others. Eight threads share four rows: each has columns x, x + 8, x + 16, x + 24 of their
// weights, and four in a row of each 32 columns of their results.
constexpr int step_rows = 32;
constexpr int thread_rows = 4, thread_columns = 4, row_threads = 8;

/// Fewer rows where heads are wide, so that a block fits 99 KiB.
template <int HeadSize>
constexpr int block_rows = HeadSize == 128 ? 32 : 64;
template <int HeadSize>
constexpr int block_threads = block_rows<HeadSize> / thread_rows* row_threads;

/// Rows of floats in shared memory. Four floats between rows put eight rows in different banks.
template <int Columns>
struct FloatTile {
  float* data;

  __device__ float* at(int row, int column) const { return data + row * (Columns + 4) + column; }
  __device__ float* end(int rows) const { return at(rows, 0); }
};
template <int Rows, int Columns>
constexpr std::size_t float_tile_bytes = sizeof(float) * Rows*(Columns + 4);

struct ThreadPlace {
  int first_row, column;  // of the block's rows; of eight

  __device__ ThreadPlace()
      : first_row(static_cast<int>(threadIdx.x) / row_threads * thread_rows),
        column(static_cast<int>(threadIdx.x) % row_threads) {}
};

/// Weights of four rows and four columns.
struct Weights {
  float at[thread_rows][thread_columns] = {};
};

__device__ inline float number(const FourWords& four, int i) {
  return __builtin_bit_cast(float, four.word[i]);
}

/// The head's columns of rows [first, first + count) of the sequence; zeros behind its last.
template <int HeadSize>
__device__ void load_rows(FloatTile<HeadSize> tile, Rows<const float> from, const HeadPlace& place,
                          int first, int count) {
  constexpr int pieces = HeadSize / 4;
  for (int i = static_cast<int>(threadIdx.x); i < count * pieces; i += block_threads<HeadSize>) {
    const int row = i / pieces, column = i % pieces * 4;
    const bool is_row = first + row < place.length;
    store_four(tile.at(row, column),
               is_row ? load_four(from.row(place.first_row + first + row) + place.column + column)
                      : FourWords{});
  }
}

/// weights += rows of `a` times rows of `b`.
template <int HeadSize>
__device__ void multiply_rows(Weights& weights, FloatTile<HeadSize> a, FloatTile<HeadSize> b,
                              const ThreadPlace& own) {
#pragma unroll 4
  for (int d = 0; d < HeadSize; d += 4) {
    FourWords left[thread_rows], right[thread_columns];
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) left[i] = load_four(a.at(own.first_row + i, d));
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) right[j] = load_four(b.at(own.column + 8 * j, d));
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
#pragma unroll
        for (int c = 0; c < 4; ++c) weights.at[i][j] += number(left[i], c) * number(right[j], c);
      }
    }
  }
}

/// Results of four rows.
template <int HeadSize>
struct RowSums {
  float at[thread_rows][HeadSize / 32][4] = {};

  /// += weights, which the threads of a row hand over in `shared`, times `rows`.
  __device__ void add(const Weights& weights, FloatTile<step_rows> shared, FloatTile<HeadSize> rows,
                      const ThreadPlace& own) {
    __syncwarp();  // nobody reads what stood there
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        *shared.at(own.first_row + i, own.column + 8 * j) = weights.at[i][j];
      }
    }
    __syncwarp();
#pragma unroll 1
    for (int key = 0; key < step_rows; key += 4) {
      FourWords left[thread_rows];
#pragma unroll
      for (int i = 0; i < thread_rows; ++i) left[i] = load_four(shared.at(own.first_row + i, key));
#pragma unroll
      for (int c = 0; c < 4; ++c) {
#pragma unroll
        for (int group = 0; group < HeadSize / 32; ++group) {
          const FourWords right = load_four(rows.at(key + c, 32 * group + 4 * own.column));
#pragma unroll
          for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
            for (int n = 0; n < 4; ++n) at[i][group][n] += number(left[i], c) * number(right, n);
          }
        }
      }
    }
  }
  __device__ void scale(int i, float factor) {
#pragma unroll
    for (int group = 0; group < HeadSize / 32; ++group) {
#pragma unroll
      for (int n = 0; n < 4; ++n) at[i][group][n] *= factor;
    }
  }
  /// `first`: of the block's rows, in the sequence.
  __device__ void store(Rows<float> to, const HeadPlace& place, int first,
                        const ThreadPlace& own) const {
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
      const int row = first + own.first_row + i;
      if (row >= place.length) continue;
#pragma unroll
      for (int group = 0; group < HeadSize / 32; ++group) {
        FourWords four;
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          four.word[n] = __builtin_bit_cast(std::uint32_t, at[i][group][n]);
        }
        store_four(to.row(place.first_row + row) + place.column + 32 * group + 4 * own.column,
                   four);
      }
    }
  }
};

/// What dropout makes of weights of queries [first_query ...) by keys [first_key ...): of four rows
/// of queries, or of keys where `rows_are_keys`. Every lane draws for itself.
template <bool rows_are_keys>
__device__ Weights mask_of(const HeadPlace& place, Dropout dropout, const StepState* state,
                           int first_query, int first_key, const ThreadPlace& own) {
  Weights mask;
  const auto kept = static_cast<float>(dropout.scale());
#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) {
      mask.at[i][j] = kept;
    }
  }
  if (!dropout.is_active()) return mask;
  const auto draws_of = [&](int query, int key) {
    return draw_keys(place.example, place.head, query, key, dropout, state);
  };
#pragma unroll
  for (int j = 0; j < thread_columns; ++j) {
    if (rows_are_keys) {
      // Four keys in a row are half of what a call serves.
      const int key = first_key + own.first_row;
      const Draws draws = draws_of(first_query + own.column + 8 * j, key);
#pragma unroll
      for (int i = 0; i < thread_rows; ++i) {
        if (draws.at((key + i) % 8) < dropout.threshold) mask.at[i][j] = 0;
      }
    } else {
#pragma unroll
      for (int i = 0; i < thread_rows; ++i) {
        const int key = first_key + own.column + 8 * j;
        const Draws draws = draws_of(first_query + own.first_row + i, key);
        if (draws.at(own.column) < dropout.threshold) mask.at[i][j] = 0;
      }
    }
  }
  return mask;
}

template <int HeadSize>
constexpr std::size_t forward_bytes =
    float_tile_bytes<block_rows<HeadSize>, HeadSize> + 2 * float_tile_bytes<step_rows, HeadSize> +
    float_tile_bytes<block_rows<HeadSize>, step_rows>;

template <int HeadSize>
__global__ void __launch_bounds__(block_threads<HeadSize>)
    f32_attention_kernel(AttentionForward<float> of, int blocks) {
  const BlockPlace<block_rows<HeadSize>> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) zero_results(of, place, HeadSize);
  if (block.has_none()) return;
  const FloatTile<HeadSize> q{shared_memory<float>()};
  const FloatTile<HeadSize> k{q.end(block_rows<HeadSize>)}, v{k.end(step_rows)};
  const FloatTile<step_rows> shared{v.end(step_rows)};
  const ThreadPlace own;
  load_rows(q, of.q, place, block.first, block_rows<HeadSize>);

  float largest[thread_rows], sum[thread_rows] = {};
  for (float& one : largest) one = -__builtin_huge_valf();
  RowSums<HeadSize> out;
  for (int key = 0; key < place.length; key += step_rows) {
    __syncthreads();  // nobody is at the tiles before
    load_rows(k, of.k, place, key, step_rows);
    load_rows(v, of.v, place, key, step_rows);
    __syncthreads();
    Weights p;
    multiply_rows(p, q, k, own);
    const Weights mask = mask_of<false>(place, of.dropout, of.state, block.first, key, own);
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
      float most = largest[i];
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const bool is_key = key + own.column + 8 * j < place.length;
        p.at[i][j] = is_key ? p.at[i][j] * of.scale : -__builtin_huge_valf();
        most = p.at[i][j] > most ? p.at[i][j] : most;
      }
      most = octet_maximum(most);
      float added = 0;
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const float weight = exponential_without_overflow(p.at[i][j] - most);
        added += weight;
        p.at[i][j] = weight * mask.at[i][j];
      }
      const float earlier = exponential_without_overflow(largest[i] - most);
      sum[i] = sum[i] * earlier + octet_sum(added);
      largest[i] = most;
      out.scale(i, earlier);
    }
    out.add(p, shared, v, own);
  }
#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
    out.scale(i, 1.0f / sum[i]);
    const int row = block.first + own.first_row + i;
    if (of.log_sum_exp.data == nullptr || own.column != 0 || row >= place.length) continue;
    of.log_sum_exp.row(place.first_row + row)[place.head] = largest[i] + logarithm(sum[i]);
  }
  out.store(of.out, place, block.first, own);
}

template <int HeadSize>
constexpr std::size_t gradient_bytes =
    2 * float_tile_bytes<block_rows<HeadSize>, HeadSize> +
    2 * float_tile_bytes<step_rows, HeadSize> + float_tile_bytes<block_rows<HeadSize>, step_rows>;

/// From scores = q kᵀ and weights = dout vᵀ of a pair: its dropped-out probability, and
/// scale P (mask dout vᵀ - delta).
struct PairGradient {
  float dropped, dscore;

  __device__ PairGradient(float score, float weight, float scale, float mask, float log_sum_exp,
                          float delta, bool is_pair) {
    const float p = is_pair ? exponential_without_overflow(score * scale - log_sum_exp) : 0.0f;
    dropped = p * mask;
    dscore = scale * p * (weight * mask - delta);
  }
};

/// dq of the block's queries, and their deltas for the other kernel.
template <int HeadSize>
__global__ void __launch_bounds__(block_threads<HeadSize>)
    f32_query_gradient_kernel(AttentionBackward<float> of, int blocks, Rows<float> deltas) {
  const BlockPlace<block_rows<HeadSize>> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) zero_rows(of.dq, place, HeadSize);
  if (block.has_none()) return;
  const FloatTile<HeadSize> q{shared_memory<float>()};
  const FloatTile<HeadSize> dout{q.end(block_rows<HeadSize>)};
  const FloatTile<HeadSize> k{dout.end(block_rows<HeadSize>)}, v{k.end(step_rows)};
  const FloatTile<step_rows> shared{v.end(step_rows)};
  const ThreadPlace own;
  load_rows(q, of.q, place, block.first, block_rows<HeadSize>);
  load_rows(dout, of.dout, place, block.first, block_rows<HeadSize>);
  __syncthreads();

  float log_sum_exp[thread_rows] = {}, delta[thread_rows] = {};
#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
    const int row = block.first + own.first_row + i;
    const bool is_query = row < place.length;
    float product = 0;
    for (int d = own.column; is_query && d < HeadSize; d += row_threads) {
      product +=
          *dout.at(own.first_row + i, d) * of.out.row(place.first_row + row)[place.column + d];
    }
    delta[i] = octet_sum(product);
    if (!is_query) continue;
    log_sum_exp[i] = of.log_sum_exp.row(place.first_row + row)[place.head];
    if (own.column == 0) deltas.row(place.first_row + row)[place.head] = delta[i];
  }
  RowSums<HeadSize> dq;
  for (int key = 0; key < place.length; key += step_rows) {
    __syncthreads();
    load_rows(k, of.k, place, key, step_rows);
    load_rows(v, of.v, place, key, step_rows);
    __syncthreads();
    Weights scores, weights;
    multiply_rows(scores, q, k, own);
    multiply_rows(weights, dout, v, own);
    const Weights mask = mask_of<false>(place, of.dropout, of.state, block.first, key, own);
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
      for (int j = 0; j < thread_columns; ++j) {
        const bool is_pair = key + own.column + 8 * j < place.length &&
                             block.first + own.first_row + i < place.length;
        scores.at[i][j] = PairGradient(scores.at[i][j], weights.at[i][j], of.scale, mask.at[i][j],
                                       log_sum_exp[i], delta[i], is_pair)
                              .dscore;
      }
    }
    dq.add(scores, shared, k, own);
  }
  dq.store(of.dq, place, block.first, own);
}

/// dk and dv of the block's keys.
template <int HeadSize>
__global__ void __launch_bounds__(block_threads<HeadSize>)
    f32_key_gradient_kernel(AttentionBackward<float> of, int blocks, Rows<const float> deltas) {
  const BlockPlace<block_rows<HeadSize>> block(of.sequences, HeadSize, blocks);
  const HeadPlace& place = block.place;
  if (block.has_rows_beyond()) {
    zero_rows(of.dk, place, HeadSize);
    zero_rows(of.dv, place, HeadSize);
  }
  if (block.has_none()) return;
  const FloatTile<HeadSize> k{shared_memory<float>()};
  const FloatTile<HeadSize> v{k.end(block_rows<HeadSize>)};
  const FloatTile<HeadSize> q{v.end(block_rows<HeadSize>)}, dout{q.end(step_rows)};
  const FloatTile<step_rows> shared{dout.end(step_rows)};
  const ThreadPlace own;
  load_rows(k, of.k, place, block.first, block_rows<HeadSize>);
  load_rows(v, of.v, place, block.first, block_rows<HeadSize>);

  RowSums<HeadSize> dk, dv;
  for (int query = 0; query < place.length; query += step_rows) {
    __syncthreads();
    load_rows(q, of.q, place, query, step_rows);
    load_rows(dout, of.dout, place, query, step_rows);
    __syncthreads();
    Weights scores, weights;
    multiply_rows(scores, k, q, own);
    multiply_rows(weights, v, dout, own);
    const Weights mask = mask_of<true>(place, of.dropout, of.state, query, block.first, own);
#pragma unroll
    for (int j = 0; j < thread_columns; ++j) {
      const int row = query + own.column + 8 * j;
      const bool is_query = row < place.length;
      const std::int64_t at = place.first_row + (is_query ? row : 0);
      const float log_sum_exp = of.log_sum_exp.row(at)[place.head];
      const float delta = deltas.row(at)[place.head];
#pragma unroll
      for (int i = 0; i < thread_rows; ++i) {
        const bool is_pair = is_query && block.first + own.first_row + i < place.length;
        const PairGradient pair(scores.at[i][j], weights.at[i][j], of.scale, mask.at[i][j],
                                log_sum_exp, delta, is_pair);
        scores.at[i][j] = pair.dscore;
        weights.at[i][j] = pair.dropped;
      }
    }
    dv.add(weights, shared, dout, own);
    dk.add(scores, shared, q, own);
  }
  dk.store(of.dk, place, block.first, own);
  dv.store(of.dv, place, block.first, own);
}

}  // namespace

void f32_attention(Stream stream, const AttentionForward<float>& of, const AttentionShape& shape) {
  with_head_size(shape.head_size, [&](auto head_size) {
    constexpr int size = decltype(head_size)::value;
    const int blocks = blocks_of<block_rows<size>>(of.sequences);
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads<size>,
           forward_bytes<size>, f32_attention_kernel<size>, of, blocks);
  });
}

void f32_attention_gradient(Stream stream, const AttentionBackward<float>& of,
                            const AttentionShape& shape, float* deltas) {
  with_head_size(shape.head_size, [&](auto head_size) {
    constexpr int size = decltype(head_size)::value;
    const int blocks = blocks_of<block_rows<size>>(of.sequences);
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads<size>,
           gradient_bytes<size>, f32_query_gradient_kernel<size>, of, blocks,
           Rows<float>{deltas, shape.heads});
    launch(stream, shape.heads * blocks, of.sequences.sequences + 1, block_threads<size>,
           gradient_bytes<size>, f32_key_gradient_kernel<size>, of, blocks,
           Rows<const float>{deltas, shape.heads});
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
