#include "tensor/cuda/kernels/attention_pairs.h"
#include "tensor/cuda/kernels/attention_short.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// Query, key and value of a sequence and head.
template <int Keys, int HeadSize>
constexpr std::size_t forward_bytes = 3 * tile_bytes<Keys, HeadSize>;

/// A warp for 16 queries, as many warps as there may be: P stands in registers from the scores to
/// its product with v.
template <int Keys, int HeadSize>
__global__ void __launch_bounds__(Keys / tile_rows * warp_size)
    short_attention_kernel(Bf16Forward of) {
  auto* memory = shared_memory<BFloat16>();
  const HeadPlace place(of.sequences, HeadSize, blockIdx.x);
  if (place.is_beyond) {
    zero_results(of, place, HeadSize);
    return;
  }
  const SharedTile<HeadSize> q{memory}, k{q.end(Keys)}, v{k.end(Keys)};
  const int rows = place.tiled_length();
  load_rows(q, of.q, place, 0, rows);
  load_rows(k, of.k, place, 0, rows);
  load_rows(v, of.v, place, 0, rows);
  wait_for_copies();
  __syncthreads();

  const int first = first_row_of_warp();
  if (first >= place.length) return;
  FragmentC p[Keys / 8] = {};
  multiply_keys<Keys, HeadSize>(p, q, k, first, place.length);
  const int lane = lane_of_thread();
  const float scale = of.scale * log2_of_e;
  float factor[2];  // of the rows' outputs
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = -__builtin_huge_valf();
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        const bool is_key = 8 * n + column_of_sum(lane, i) < place.length;
        p[n].at[i] = is_key ? p[n].at[i] * scale : -__builtin_huge_valf();
        largest = p[n].at[i] > largest ? p[n].at[i] : largest;
      }
    }
    largest = quad_maximum(largest);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        p[n].at[i] = fast_power_of_two(p[n].at[i] - largest);
        sum += p[n].at[i];
      }
    }
    sum = quad_sum(sum);
    factor[half] = static_cast<float>(of.dropout.scale()) / sum;
    const int row = first + row_of_sum(lane, 2 * half);
    if (of.log_sum_exp.data != nullptr && lane % 4 == 0 && row < place.length) {
      of.log_sum_exp.row(place.first_row + row)[place.head] = largest / log2_of_e + logarithm(sum);
    }
  }
  if (of.dropout.is_active()) {
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      if (16 * n < place.length) drop(p + 2 * n, place, of.dropout, of.state, first, 16 * n);
    }
  }
  FragmentC out[HeadSize / 8] = {};
  multiply_values<Keys, HeadSize>(out, p, v, place.length);
#pragma unroll
  for (int d = 0; d < HeadSize / 8; ++d) {
#pragma unroll
    for (int i = 0; i < 4; ++i) out[d].at[i] *= factor[i / 2];
  }
  store_sums(out, of.out, place, first);
}

/// These and dout, dSᵀ, and two numbers a query.
template <int Keys, int HeadSize>
constexpr std::size_t gradient_bytes = 4 * tile_bytes<Keys, HeadSize> + tile_bytes<Keys, Keys> +
                                       2 * Keys * sizeof(float);

/// The whole backward of a sequence and head. A warp for 16 keys goes over the queries with dk and
/// dv in registers: dv = (mask P)ᵀ dout and dk = dSᵀ q, where P comes from log_sum_exp and
/// dS = P (mask dout vᵀ - delta). It leaves dSᵀ in shared memory, from which, when all have, a warp
/// for 16 queries makes dq = dS k.
template <int Keys, int HeadSize>
__global__ void __launch_bounds__(Keys / tile_rows * warp_size, HeadSize == 128 ? 1 : 256 / Keys)
    short_attention_gradient_kernel(Bf16Backward of) {
  const HeadPlace place(of.sequences, HeadSize, blockIdx.x);
  if (place.is_beyond) {
    zero_rows(of.dq, place, HeadSize);
    zero_rows(of.dk, place, HeadSize);
    zero_rows(of.dv, place, HeadSize);
    return;
  }
  auto* log2_sum_exp = shared_memory<float>();
  float* delta = log2_sum_exp + Keys;
  const SharedTile<HeadSize> q{reinterpret_cast<BFloat16*>(delta + Keys)};
  const SharedTile<HeadSize> dout{q.end(Keys)}, k{dout.end(Keys)}, v{k.end(Keys)};
  const SharedTile<Keys> ds{v.end(Keys)};
  const int rows = place.tiled_length(), first = first_row_of_warp();
  load_rows(q, of.q, place, 0, rows);
  load_rows(k, of.k, place, 0, rows);
  load_rows(v, of.v, place, 0, rows);
  load_rows(dout, of.dout, place, 0, rows);
  if (first < rows)
    keep_statistics<HeadSize>(of, place, first, log2_sum_exp + first, delta + first);
  wait_for_copies();
  __syncthreads();

  if (first < rows) {
    FragmentC dk[HeadSize / 8] = {}, dv[HeadSize / 8] = {};
    for (int query = 0; query < rows; query += tile_rows) {
      FragmentC scores[2] = {}, weights[2] = {};
#pragma unroll 1  // keeps the kernel in 128 registers: two blocks of 128 keys at a time
      for (int d = 0; d < HeadSize / 16; ++d) {
        multiply_add(scores[0], scores[1], load_a(k, first, 16 * d),
                     load_b_transposed(q, 16 * d, query));
        multiply_add(weights[0], weights[1], load_a(v, first, 16 * d),
                     load_b_transposed(dout, 16 * d, query));
      }
      const PairsOfKeys pairs = pairs_of_keys(scores, weights, log2_sum_exp + query, delta + query,
                                              of, place, query, first);
      multiply_rows<HeadSize>(dv, pairs.weights, dout, query);
      multiply_rows<HeadSize>(dk, pairs.dscores, q, query);
      store_a(pairs.dscores, ds, first, query);
    }
    store_sums(dk, of.dk, place, first);
    store_sums(dv, of.dv, place, first);
  }
  __syncthreads();
  if (first >= rows) return;
  FragmentC dq[HeadSize / 8] = {};
  for (int key = 0; key < rows; key += tile_rows) {
    multiply_rows<HeadSize>(dq, load_a_transposed(ds, first, key), k, key);
  }
  store_sums(dq, of.dq, place, first);
}

/// Calls use(Keys, HeadSize) as integral constants, for what fits_short_attention lets through.
template <class Use>
void with_shape(std::int64_t longest, std::int64_t head_size, const Use& use) {
  with_head_size(head_size, [&](auto size) {
    constexpr std::integral_constant<int, 64> of_64;
    constexpr std::integral_constant<int, 128> of_128;
    if constexpr (decltype(size)::value == 128) {
      use(of_64, size);
    } else {
      longest <= 64 ? use(of_64, size) : use(of_128, size);
    }
  });
}

}  // namespace

bool fits_short_attention(const SequenceView& sequences, const AttentionShape& shape) {
  return sequences.longest <= (shape.head_size == 128 ? 64 : 128);
}

void short_attention(Stream stream, const Bf16Forward& of, const AttentionShape& shape) {
  with_shape(of.sequences.longest, shape.head_size, [&](auto keys, auto head_size) {
    constexpr int most = decltype(keys)::value, size = decltype(head_size)::value;
    launch(stream, shape.heads, of.sequences.sequences + 1, most / tile_rows * warp_size,
           forward_bytes<most, size>, short_attention_kernel<most, size>, of);
  });
}

void short_attention_gradient(Stream stream, const Bf16Backward& of, const AttentionShape& shape) {
  with_shape(of.sequences.longest, shape.head_size, [&](auto keys, auto head_size) {
    constexpr int most = decltype(keys)::value, size = decltype(head_size)::value;
    launch(stream, shape.heads, of.sequences.sequences + 1, most / tile_rows * warp_size,
           gradient_bytes<most, size>, short_attention_gradient_kernel<most, size>, of);
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
