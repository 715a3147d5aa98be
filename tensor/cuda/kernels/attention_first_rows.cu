#include <algorithm>

#include "tensor/cuda/kernels/attention_first_rows.h"
#include "tensor/cuda/kernels/attention_tiles.h"
#include "tensor/cuda/kernels/mask.h"
#include "tensor/cuda/kernels/with_type.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int first_rows_threads = 128;
constexpr int most_keys = 512;
constexpr int most_head_size = 128;

template <class T>
struct Problem {
  Rows<const T> q, k, v;
  SequenceView sequences;
  int head_size;
  float scale;
  Dropout dropout;
  const StepState* state;

  __device__ HeadPlace place() const { return {sequences, head_size, blockIdx.x}; }
  /// What dropout multiplies the probability of a key by.
  __device__ float mask(const HeadPlace& place, int key) const {
    if (!dropout.is_active()) return 1.0f;
    const std::uint64_t element = attention_element(static_cast<std::uint64_t>(place.head), 0,
                                                    static_cast<std::uint64_t>(key));
    const Draws draws =
        draw_eight(static_cast<std::uint32_t>(element / 8), place.example, dropout, state);
    return draws.at(key % 8) < dropout.threshold ? 0.0f : static_cast<float>(dropout.scale());
  }
};

/// body(i) for i < count, dealt out over the block.
template <class Body>
__device__ void over_block(int count, const Body& body) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += first_rows_threads) body(i);
}

/// The head's columns of a row, as numbers.
template <class T>
__device__ void load_numbers(float* to, const T* row, int head_size) {
  over_block(head_size, [&](int i) { to[i] = load<1>(row + i).at[0]; });
}

template <class T>
__device__ float dot(const T* row, const float* with, int head_size) {
  float sum = 0;
  for (int column = 0; column < head_size; column += pack_size) {
    const auto values = load<pack_size>(row + column);
    for (int i = 0; i < pack_size; ++i) sum += values.at[i] * with[column + i];
  }
  return sum;
}

/// to = sum of weights[key] rows[key] over the sequence: a thread has a pack of columns and every
/// n-th key, and their sums are added in order. Waits at its beginning.
template <class T>
__device__ void weighted_sum(const float* weights, Rows<const T> rows, const HeadPlace& place,
                             int head_size, T* to) {
  __shared__ float parts[first_rows_threads * pack_size];
  const int packs = head_size / pack_size, groups = first_rows_threads / packs;
  const int group = static_cast<int>(threadIdx.x) / packs;
  const int column = static_cast<int>(threadIdx.x) % packs * pack_size;
  __syncthreads();
  if (group < groups) {
    Values<pack_size> sum = {};
    for (int key = group; key < place.length; key += groups) {
      const auto row = load<pack_size>(rows.row(place.first_row + key) + place.column + column);
      for (int i = 0; i < pack_size; ++i) sum.at[i] += weights[key] * row.at[i];
    }
    for (int i = 0; i < pack_size; ++i) parts[group * head_size + column + i] = sum.at[i];
  }
  __syncthreads();
  over_block(head_size, [&](int i) {
    float sum = 0;
    for (int g = 0; g < groups; ++g) sum += parts[g * head_size + i];
    store<1>(to + i, Values<1>{{sum}});
  });
}

template <class T>
__global__ void __launch_bounds__(first_rows_threads, 4)
    first_rows_attention_kernel(Problem<T> of, Rows<T> out, Rows<float> log_sum_exp) {
  __shared__ float query[most_head_size], weights[most_keys], scratch[warp_size];
  const HeadPlace place = of.place();
  const auto row = static_cast<std::int64_t>(blockIdx.y);
  load_numbers(query, of.q.row(row) + place.column, of.head_size);
  __syncthreads();
  float largest = -__builtin_huge_valf(), sum = 0;
  over_block(place.length, [&](int key) {
    weights[key] =
        of.scale * dot(of.k.row(place.first_row + key) + place.column, query, of.head_size);
    largest = weights[key] > largest ? weights[key] : largest;
  });
  largest = block_maximum(largest, scratch);
  over_block(place.length, [&](int key) {
    weights[key] = exponential_without_overflow(weights[key] - largest);
    sum += weights[key];
  });
  sum = block_sum(sum, scratch);
  over_block(place.length, [&](int key) { weights[key] *= of.mask(place, key) / sum; });
  weighted_sum(weights, of.v, place, of.head_size, out.row(row) + place.column);
  if (log_sum_exp.data != nullptr && threadIdx.x == 0) {
    log_sum_exp.row(row)[place.head] = largest + logarithm(sum);
  }
}

/// rows[key] = weights[key] number, for every key of the sequence.
template <class T>
__device__ void store_products(Rows<T> rows, const HeadPlace& place, const float* weights,
                               const float* number, int head_size) {
  over_pieces(place.length, head_size, [&](int key, int column) {
    Values<pack_size> values;
    for (int i = 0; i < pack_size; ++i) values.at[i] = weights[key] * number[column + i];
    store(rows.row(place.first_row + key) + place.column + column, values);
  });
}

/// Gradients of a sequence's one query and of all its keys and values.
template <class T>
__global__ void __launch_bounds__(first_rows_threads, 4)
    first_rows_gradient_kernel(Problem<T> of, Rows<const T> dout, Rows<const T> out,
                               Rows<const float> log_sum_exp, Rows<T> dq, Rows<T> dk, Rows<T> dv) {
  __shared__ float query[most_head_size], gradient[most_head_size], scratch[warp_size];
  __shared__ float dropped[most_keys], dscores[most_keys];
  const HeadPlace place = of.place();
  if (place.is_beyond) {
    zero_rows(dk, place, of.head_size);
    zero_rows(dv, place, of.head_size);
    return;
  }
  const auto row = static_cast<std::int64_t>(blockIdx.y);
  load_numbers(query, of.q.row(row) + place.column, of.head_size);
  load_numbers(gradient, dout.row(row) + place.column, of.head_size);
  float delta = 0;
  over_block(of.head_size,
             [&](int i) { delta += gradient[i] * load<1>(out.row(row) + place.column + i).at[0]; });
  delta = block_sum(delta, scratch);  // waits for query and gradient, too
  const float lse = log_sum_exp.row(row)[place.head];
  over_block(place.length, [&](int key) {
    const std::int64_t key_row = place.first_row + key;
    const float score = of.scale * dot(of.k.row(key_row) + place.column, query, of.head_size);
    const float p = exponential_without_overflow(score - lse), mask = of.mask(place, key);
    const float dp = mask * dot(of.v.row(key_row) + place.column, gradient, of.head_size);
    dropped[key] = p * mask;
    dscores[key] = of.scale * p * (dp - delta);
  });
  weighted_sum(dscores, of.k, place, of.head_size, dq.row(row) + place.column);
  store_products(dk, place, dscores, query, of.head_size);
  store_products(dv, place, dropped, gradient, of.head_size);
}

template <class T>
Problem<T> problem_of(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                      const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                      const StepState* state) {
  return {rows_of<T>(q),
          rows_of<T>(k),
          rows_of<T>(v),
          sequences,
          static_cast<int>(shape.head_size),
          static_cast<float>(shape.scale),
          dropout,
          state};
}

}  // namespace

bool fits_first_rows_attention(std::initializer_list<ConstMatrixView> operands,
                               const SequenceView& sequences, const AttentionShape& shape) {
  return shape.queries == AttentionShape::Queries::FirstRows && shape.head_size % pack_size == 0 &&
         shape.head_size <= most_head_size && sequences.longest <= most_keys &&
         std::all_of(operands.begin(), operands.end(),
                     [](const ConstMatrixView& view) { return fits_packs(view); });
}

void first_rows_attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                          const SequenceView& sequences, const AttentionShape& shape,
                          Dropout dropout, const StepState* state, MatrixView out,
                          MatrixView log_sum_exp) {
  with_type(q.dtype, "attention", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, shape.heads, sequences.sequences, first_rows_threads, 0,
           first_rows_attention_kernel<T>, problem_of<T>(q, k, v, sequences, shape, dropout, state),
           rows_of<T>(out), rows_of<float>(log_sum_exp));
  });
}

void first_rows_attention_gradient(Stream stream, ConstMatrixView dout, ConstMatrixView q,
                                   ConstMatrixView k, ConstMatrixView v, ConstMatrixView out,
                                   ConstMatrixView log_sum_exp, const SequenceView& sequences,
                                   const AttentionShape& shape, Dropout dropout,
                                   const StepState* state, MatrixView dq, MatrixView dk,
                                   MatrixView dv) {
  with_type(q.dtype, "attention_gradient", [&](auto type) {
    using T = typename decltype(type)::type;
    launch(stream, shape.heads, sequences.sequences + 1, first_rows_threads, 0,
           first_rows_gradient_kernel<T>, problem_of<T>(q, k, v, sequences, shape, dropout, state),
           rows_of<T>(dout), rows_of<T>(out), rows_of<float>(log_sum_exp), rows_of<T>(dq),
           rows_of<T>(dk), rows_of<T>(dv));
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
