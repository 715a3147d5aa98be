#include <algorithm>

#include "tensor/cuda/kernels/attention_first_rows.h"
#include "tensor/cuda/kernels/attention_tiles.h"
#include "tensor/cuda/kernels/mask.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

constexpr int first_rows_threads = 128;
constexpr int most_keys = 512;
constexpr int most_head_size = 128;

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

/// What dropout multiplies the probability of a key by, `Problem` being one of the two directions.
template <class Problem>
__device__ float mask_of(const Problem& of, const HeadPlace& place, int key) {
  return attention_mask(place.example, place.head, 0, key, of.dropout, of.state);
}

template <class T>
__global__ void __launch_bounds__(first_rows_threads, 4)
    first_rows_attention_kernel(AttentionForward<T> of, int head_size) {
  __shared__ float query[most_head_size], weights[most_keys], scratch[warp_size];
  const HeadPlace place(of.sequences, head_size, blockIdx.x);
  const auto row = static_cast<std::int64_t>(blockIdx.y);
  load_numbers(query, of.q.row(row) + place.column, head_size);
  __syncthreads();
  float largest = -__builtin_huge_valf(), sum = 0;
  over_block(place.length, [&](int key) {
    weights[key] = of.scale * dot(of.k.row(place.first_row + key) + place.column, query, head_size);
    largest = weights[key] > largest ? weights[key] : largest;
  });
  largest = block_maximum(largest, scratch);
  over_block(place.length, [&](int key) {
    weights[key] = exponential_without_overflow(weights[key] - largest);
    sum += weights[key];
  });
  sum = block_sum(sum, scratch);
  over_block(place.length, [&](int key) { weights[key] *= mask_of(of, place, key) / sum; });
  weighted_sum(weights, of.v, place, head_size, of.out.row(row) + place.column);
  if (of.log_sum_exp.data != nullptr && threadIdx.x == 0) {
    of.log_sum_exp.row(row)[place.head] = largest + logarithm(sum);
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
    first_rows_gradient_kernel(AttentionBackward<T> of, int head_size) {
  __shared__ float query[most_head_size], gradient[most_head_size], scratch[warp_size];
  __shared__ float dropped[most_keys], dscores[most_keys];
  const HeadPlace place(of.sequences, head_size, blockIdx.x);
  if (place.is_beyond) {
    zero_rows(of.dk, place, head_size);
    zero_rows(of.dv, place, head_size);
    return;
  }
  const auto row = static_cast<std::int64_t>(blockIdx.y);
  load_numbers(query, of.q.row(row) + place.column, head_size);
  load_numbers(gradient, of.dout.row(row) + place.column, head_size);
  float delta = 0;
  over_block(head_size, [&](int i) {
    delta += gradient[i] * load<1>(of.out.row(row) + place.column + i).at[0];
  });
  delta = block_sum(delta, scratch);  // waits for query and gradient, too
  const float lse = of.log_sum_exp.row(row)[place.head];
  over_block(place.length, [&](int key) {
    const std::int64_t key_row = place.first_row + key;
    const float score = of.scale * dot(of.k.row(key_row) + place.column, query, head_size);
    const float p = exponential_without_overflow(score - lse), mask = mask_of(of, place, key);
    const float dp = mask * dot(of.v.row(key_row) + place.column, gradient, head_size);
    dropped[key] = p * mask;
    dscores[key] = of.scale * p * (dp - delta);
  });
  weighted_sum(dscores, of.k, place, head_size, of.dq.row(row) + place.column);
  store_products(of.dk, place, dscores, query, head_size);
  store_products(of.dv, place, dropped, gradient, head_size);
}

}  // namespace

bool fits_first_rows_attention(std::initializer_list<ConstMatrixView> operands,
                               const SequenceView& sequences, const AttentionShape& shape) {
  return shape.queries == AttentionShape::Queries::FirstRows && shape.head_size % pack_size == 0 &&
         shape.head_size <= most_head_size && sequences.longest <= most_keys &&
         std::all_of(operands.begin(), operands.end(),
                     [](const ConstMatrixView& view) { return fits_packs(view); });
}

template <class T>
void first_rows_attention(Stream stream, const AttentionForward<T>& of,
                          const AttentionShape& shape) {
  launch(stream, shape.heads, of.sequences.sequences, first_rows_threads, 0,
         first_rows_attention_kernel<T>, of, static_cast<int>(shape.head_size));
}
template <class T>
void first_rows_attention_gradient(Stream stream, const AttentionBackward<T>& of,
                                   const AttentionShape& shape) {
  launch(stream, shape.heads, of.sequences.sequences + 1, first_rows_threads, 0,
         first_rows_gradient_kernel<T>, of, static_cast<int>(shape.head_size));
}

template void first_rows_attention(Stream, const AttentionForward<float>&, const AttentionShape&);
template void first_rows_attention(Stream, const Bf16Forward&, const AttentionShape&);
template void first_rows_attention_gradient(Stream, const AttentionBackward<float>&,
                                            const AttentionShape&);
template void first_rows_attention_gradient(Stream, const Bf16Backward&, const AttentionShape&);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
