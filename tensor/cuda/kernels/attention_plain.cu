#include "tensor/cuda/kernels/attention_plain.h"
#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int attention_threads = 128;
constexpr int attention_warps = attention_threads / warp_size;
constexpr int most_keys = 512;
constexpr int keys_a_lane = most_keys / warp_size;

/// A sequence among packed rows.
struct Sequence {
  std::int64_t begin;
  int length;
  std::uint32_t example;
};

/// What all warps share.
template <class T>
struct Problem {
  Rows<const T> q, k, v;
  SequenceView sequences;
  std::int64_t queries;  // rows of q
  std::int64_t head_size;
  float scale;
  bool is_first_rows;
  Dropout dropout;
  const StepState* state;

  __device__ Sequence sequence(std::int32_t b) const {
    const std::int32_t begin = sequences.offsets[b];
    return {begin, sequences.offsets[b + 1] - begin,
            static_cast<std::uint32_t>(sequences.first_example + b)};
  }
  /// Of row r of q; no length beyond the last token.
  __device__ Sequence sequence_of_query(std::int64_t r) const {
    if (is_first_rows) return sequence(static_cast<std::int32_t>(r));
    if (r >= sequences.offsets[sequences.sequences]) return {0, 0, 0};
    return sequence(sequences.sequence_of_row[r]);
  }
  __device__ int position_of_query(std::int64_t r, const Sequence& of) const {
    return is_first_rows ? 0 : static_cast<int>(r - of.begin);
  }
  /// What dropout multiplies a probability by.
  __device__ float mask(std::uint32_t example, std::int64_t head, int query, int key) const {
    return attention_mask(example, head, query, key, dropout, state);
  }
};

template <class A, class B>
__device__ float dot(const A* a, const B* b, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += load<1>(a + i).at[0] * load<1>(b + i).at[0];
  return sum;
}

/// to[d] = sum over i < count of weights[i] rows[first + i][d], for the lanes' share of d.
template <class T>
__device__ void weighted_sum(const float* weights, int count, Rows<const T> rows,
                             std::int64_t first, std::int64_t column, std::int64_t head_size,
                             T* to) {
  for (std::int64_t d = threadIdx.x % warp_size; d < head_size; d += warp_size) {
    float sum = 0;
    for (int i = 0; i < count; ++i) {
      sum += weights[i] * load<1>(rows.row(first + i) + column + d).at[0];
    }
    store<1>(to + d, Values<1>{{sum}});
  }
}

/// The row of q or of k that is this warp's, and whether there is one.
struct WarpRow {
  std::int64_t row;
  int warp, lane;

  __device__ WarpRow()
      : row((std::int64_t{blockIdx.x} * attention_threads + threadIdx.x) / warp_size),
        warp(static_cast<int>(threadIdx.x) / warp_size),
        lane(static_cast<int>(threadIdx.x) % warp_size) {}
};

template <class T>
__global__ void __launch_bounds__(attention_threads)
    attention_kernel(Problem<T> of, Rows<T> out, Rows<float> log_sum_exp) {
  __shared__ float weights[attention_warps][most_keys];
  const WarpRow own;
  if (own.row >= of.queries) return;
  const std::int64_t head = blockIdx.y, column = head * of.head_size;
  const Sequence sequence = of.sequence_of_query(own.row);
  const int query = of.position_of_query(own.row, sequence);
  float score[keys_a_lane];
  float largest = -__builtin_huge_valf();
  for (int n = 0; n < keys_a_lane; ++n) {
    const int key = n * warp_size + own.lane;
    if (key >= sequence.length) break;
    score[n] = of.scale * dot(of.q.row(own.row) + column, of.k.row(sequence.begin + key) + column,
                              of.head_size);
    largest = score[n] > largest ? score[n] : largest;
  }
  largest = warp_maximum(largest);
  float sum = 0;
  for (int n = 0; n < keys_a_lane; ++n) {
    if (n * warp_size + own.lane >= sequence.length) break;
    score[n] = exponential_without_overflow(score[n] - largest);
    sum += score[n];
  }
  sum = warp_sum(sum);
  for (int n = 0; n < keys_a_lane; ++n) {
    const int key = n * warp_size + own.lane;
    if (key >= sequence.length) break;
    weights[own.warp][key] = score[n] / sum * of.mask(sequence.example, head, query, key);
  }
  __syncwarp();
  weighted_sum(weights[own.warp], sequence.length, of.v, sequence.begin, column, of.head_size,
               out.row(own.row) + column);
  if (log_sum_exp.data != nullptr && own.lane == 0) {
    log_sum_exp.row(own.row)[head] = sequence.length == 0 ? 0.0f : largest + logarithm(sum);
  }
}

/// Gradients of the products around a probability.
template <class T>
struct GradientProblem {
  Problem<T> forward;
  Rows<const T> dout, out;
  Rows<const float> log_sum_exp;
  float* deltas;  // (queries, heads): dout . out
  std::int64_t heads;
  Rows<T> dq, dk, dv;

  /// The probability of (query, key), what dropout makes of it, and the score's gradient.
  struct Pair {
    float dropped, dscore;
  };
  __device__ Pair pair(const Sequence& sequence, std::int64_t head, std::int64_t query_row,
                       int query, int key, float delta) const {
    const std::int64_t column = head * forward.head_size, key_row = sequence.begin + key;
    const float score = forward.scale * dot(forward.q.row(query_row) + column,
                                            forward.k.row(key_row) + column, forward.head_size);
    const float p = exponential_without_overflow(score - log_sum_exp.row(query_row)[head]);
    const float mask = forward.mask(sequence.example, head, query, key);
    const float dp = mask * dot(dout.row(query_row) + column, forward.v.row(key_row) + column,
                                forward.head_size);
    return {p * mask, forward.scale * p * (dp - delta)};
  }
};

/// A query a warp: its delta and dq.
template <class T>
__global__ void __launch_bounds__(attention_threads)
    attention_query_gradient_kernel(GradientProblem<T> of) {
  __shared__ float weights[attention_warps][most_keys];
  const WarpRow own;
  if (own.row >= of.forward.queries) return;
  const std::int64_t head = blockIdx.y, head_size = of.forward.head_size;
  const std::int64_t column = head * head_size;
  const Sequence sequence = of.forward.sequence_of_query(own.row);
  const int query = of.forward.position_of_query(own.row, sequence);
  float delta = 0;
  if (sequence.length > 0) {
    for (std::int64_t d = own.lane; d < head_size; d += warp_size) {
      delta += load<1>(of.dout.row(own.row) + column + d).at[0] *
               load<1>(of.out.row(own.row) + column + d).at[0];
    }
  }
  delta = warp_sum(delta);
  if (own.lane == 0) of.deltas[own.row * of.heads + head] = delta;
  for (int key = own.lane; key < sequence.length; key += warp_size) {
    weights[own.warp][key] = of.pair(sequence, head, own.row, query, key, delta).dscore;
  }
  __syncwarp();
  weighted_sum(weights[own.warp], sequence.length, of.forward.k, sequence.begin, column, head_size,
               of.dq.row(own.row) + column);
}

/// A key a warp: its dk and dv.
template <class T>
__global__ void __launch_bounds__(attention_threads)
    attention_key_gradient_kernel(GradientProblem<T> of) {
  __shared__ float dropped[attention_warps][most_keys], dscore[attention_warps][most_keys];
  const WarpRow own;
  const SequenceView& sequences = of.forward.sequences;
  if (own.row >= sequences.rows) return;
  const std::int64_t head = blockIdx.y, column = head * of.forward.head_size;
  Sequence sequence = {0, 0, 0};
  std::int64_t first_query = 0;
  int queries = 0;
  if (own.row < sequences.offsets[sequences.sequences]) {
    const std::int32_t b = sequences.sequence_of_row[own.row];
    sequence = of.forward.sequence(b);
    first_query = of.forward.is_first_rows ? b : sequence.begin;
    queries = of.forward.is_first_rows ? 1 : sequence.length;
  }
  const int key = static_cast<int>(own.row - sequence.begin);
  for (int query = own.lane; query < queries; query += warp_size) {
    const std::int64_t row = first_query + query;
    const auto pair = of.pair(sequence, head, row, query, key, of.deltas[row * of.heads + head]);
    dropped[own.warp][query] = pair.dropped;
    dscore[own.warp][query] = pair.dscore;
  }
  __syncwarp();
  weighted_sum(dscore[own.warp], queries, of.forward.q, first_query, column, of.forward.head_size,
               of.dk.row(own.row) + column);
  weighted_sum(dropped[own.warp], queries, of.dout, first_query, column, of.forward.head_size,
               of.dv.row(own.row) + column);
}

std::int64_t blocks_of(std::int64_t rows) {
  return (rows + attention_warps - 1) / attention_warps;
}

template <class T>
Problem<T> problem_of(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                      const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                      const StepState* state) {
  return {rows_of<T>(q),
          rows_of<T>(k),
          rows_of<T>(v),
          sequences,
          q.rows,
          shape.head_size,
          static_cast<float>(shape.scale),
          shape.queries == AttentionShape::Queries::FirstRows,
          dropout,
          state};
}

}  // namespace

void plain_attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                     const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                     const StepState* state, MatrixView out, MatrixView log_sum_exp) {
  with_type(q.dtype, "attention", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, blocks_of(q.rows), shape.heads, attention_threads, 0, attention_kernel<T>,
           problem_of<T>(q, k, v, sequences, shape, dropout, state), rows_of<T>(out),
           rows_of<float>(log_sum_exp));
  });
}

void plain_attention_gradient(Stream stream, ConstMatrixView dout, ConstMatrixView q,
                              ConstMatrixView k, ConstMatrixView v, ConstMatrixView out,
                              ConstMatrixView log_sum_exp, const SequenceView& sequences,
                              const AttentionShape& shape, Dropout dropout, const StepState* state,
                              MatrixView dq, MatrixView dk, MatrixView dv, float* deltas) {
  with_type(q.dtype, "attention_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    const GradientProblem<T> of{problem_of<T>(q, k, v, sequences, shape, dropout, state),
                                rows_of<T>(dout),
                                rows_of<T>(out),
                                rows_of<float>(log_sum_exp),
                                deltas,
                                shape.heads,
                                rows_of<T>(dq),
                                rows_of<T>(dk),
                                rows_of<T>(dv)};
    launch(stream, blocks_of(q.rows), shape.heads, attention_threads, 0,
           attention_query_gradient_kernel<T>, of);
    launch(stream, blocks_of(sequences.rows), shape.heads, attention_threads, 0,
           attention_key_gradient_kernel<T>, of);
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
