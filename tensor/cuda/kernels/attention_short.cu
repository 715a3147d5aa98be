#include <algorithm>

#include "tensor/cuda/kernels/attention_short.h"
#include "tensor/cuda/kernels/attention_tiles.h"
#include "tensor/error.h"

namespace basis::cuda::BASIS_CUDA_SIDE {
namespace {

/// What the blocks share.
struct Forward {
  Rows<const BFloat16> q, k, v;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<BFloat16> out;
  Rows<float> log_sum_exp;  // null where it is not wanted
};

/// Elements between rows in shared memory.
template <int Columns>
constexpr int padded = Columns + pack_size;

/// A warp for 16 queries, as many warps as there may be: P stands in registers from the scores to
/// its product with v.
template <int Keys, int HeadSize>
__global__ void __launch_bounds__(Keys / tile_rows * warp_size) short_attention_kernel(Forward of) {
  auto* memory = shared_memory<BFloat16>();
  const HeadPlace place(of.sequences, HeadSize);
  if (place.is_beyond) {
    zero_rows(of.out, place, HeadSize);
    if (of.log_sum_exp.data == nullptr) return;
    for (int row = static_cast<int>(threadIdx.x); row < place.length;
         row += static_cast<int>(blockDim.x)) {
      of.log_sum_exp.row(place.first_row + row)[place.head] = 0;
    }
    return;
  }
  constexpr int stride = padded<HeadSize>;
  const SharedTile q{memory, stride}, k{q.at(Keys, 0), stride}, v{k.at(Keys, 0), stride};
  load_rows(q, of.q, place, HeadSize);
  load_rows(k, of.k, place, HeadSize);
  load_rows(v, of.v, place, HeadSize);
  wait_for_copies();
  __syncthreads();

  const int first = static_cast<int>(threadIdx.x) / warp_size * tile_rows;
  if (first >= place.length) return;
  FragmentC p[Keys / 8] = {};
  multiply_keys<Keys, HeadSize>(p, q, k, first, place.length);
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  float factor[2];  // of the rows' outputs
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = -__builtin_huge_valf();
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        const bool is_key = 8 * n + column_of_sum(lane, i) < place.length;
        p[n].at[i] = is_key ? p[n].at[i] * of.scale : -__builtin_huge_valf();
        largest = p[n].at[i] > largest ? p[n].at[i] : largest;
      }
    }
    largest = quad_maximum(largest);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
      for (int i = 2 * half; i < 2 * half + 2; ++i) {
        p[n].at[i] = exponential_without_overflow(p[n].at[i] - largest);
        sum += p[n].at[i];
      }
    }
    sum = quad_sum(sum);
    factor[half] = static_cast<float>(of.dropout.scale()) / sum;
    const int row = first + row_of_sum(lane, 2 * half);
    if (of.log_sum_exp.data != nullptr && lane % 4 == 0 && row < place.length) {
      of.log_sum_exp.row(place.first_row + row)[place.head] = largest + logarithm(sum);
    }
  }
  if (of.dropout.is_active()) {
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
      if (8 * n < place.length) drop(p[n], place, of.dropout, of.state, first, n);
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

struct Backward {
  Rows<const BFloat16> dout, q, k, v, out;
  Rows<const float> log_sum_exp;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<BFloat16> dq, dk, dv;
};

/// dout . out of a row, by the lanes that share it; the other operand is read once.
template <int HeadSize>
__device__ float delta_of_row(const Backward& of, const HeadPlace& place, int row) {
  if (row >= place.length) return 0;
  const std::int64_t r = place.first_row + row;
  float sum = 0;
  for (int column = static_cast<int>(threadIdx.x) % 4 * pack_size; column < HeadSize;
       column += 4 * pack_size) {
    const auto a = load<pack_size>(of.dout.row(r) + place.column + column);
    const auto b = load<pack_size>(of.out.row(r) + place.column + column);
    for (int i = 0; i < pack_size; ++i) sum += a.at[i] * b.at[i];
  }
  return sum;
}

/// The whole backward of a sequence and head. First a warp for 16 queries: P from log_sum_exp,
/// dS = P (mask dout vᵀ - delta) and dq = dS k; then, over what all have left in shared memory, a
/// warp for 16 keys: dv = (mask P)ᵀ dout and dk = dSᵀ q.
template <int Keys, int HeadSize>
__global__ void __launch_bounds__(Keys / tile_rows * warp_size)
    short_attention_gradient_kernel(Backward of) {
  auto* memory = shared_memory<BFloat16>();
  const HeadPlace place(of.sequences, HeadSize);
  if (place.is_beyond) {
    zero_rows(of.dq, place, HeadSize);
    zero_rows(of.dk, place, HeadSize);
    zero_rows(of.dv, place, HeadSize);
    return;
  }
  constexpr int stride = padded<HeadSize>, pair_stride = padded<Keys>;
  const SharedTile q{memory, stride}, k{q.at(Keys, 0), stride}, v{k.at(Keys, 0), stride};
  const SharedTile dout{v.at(Keys, 0), stride};
  const SharedTile p{dout.at(Keys, 0), pair_stride}, ds{p.at(Keys, 0), pair_stride};
  load_rows(q, of.q, place, HeadSize);
  load_rows(k, of.k, place, HeadSize);
  load_rows(v, of.v, place, HeadSize);
  load_rows(dout, of.dout, place, HeadSize);
  wait_for_copies();
  __syncthreads();

  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int first = static_cast<int>(threadIdx.x) / warp_size * tile_rows;
  const bool has_rows = first < place.length;
  if (has_rows) {
    float lse[2], delta[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first + row_of_sum(lane, 2 * half);
      lse[half] = row < place.length ? of.log_sum_exp.row(place.first_row + row)[place.head] : 0.0f;
      delta[half] = quad_sum(delta_of_row<HeadSize>(of, place, row));
    }
    FragmentC weights[Keys / 8] = {}, scores[Keys / 8] = {};
    multiply_keys<Keys, HeadSize>(scores, q, k, first, place.length);
    multiply_keys<Keys, HeadSize>(weights, dout, v, first, place.length);
    const auto kept_scale = static_cast<float>(of.dropout.scale());
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
      if (8 * n >= (place.length + 15) / 16 * 16) continue;
      FragmentC mask = {{kept_scale, kept_scale, kept_scale, kept_scale}};
      if (of.dropout.is_active()) drop(mask, place, of.dropout, of.state, first, n);
      FragmentC dropped;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool is_pair = 8 * n + column_of_sum(lane, i) < place.length &&
                             first + row_of_sum(lane, i) < place.length;
        const float probability =
            is_pair ? exponential_without_overflow(scores[n].at[i] * of.scale - lse[i / 2]) : 0.0f;
        dropped.at[i] = probability * mask.at[i];
        scores[n].at[i] = of.scale * probability * (weights[n].at[i] * mask.at[i] - delta[i / 2]);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = first + row_of_sum(lane, 2 * half), column = 8 * n + column_of_sum(lane, 0);
        *reinterpret_cast<std::uint32_t*>(p.at(row, column)) =
            two_halves(dropped.at[2 * half], dropped.at[2 * half + 1]);
        *reinterpret_cast<std::uint32_t*>(ds.at(row, column)) =
            two_halves(scores[n].at[2 * half], scores[n].at[2 * half + 1]);
      }
    }
    FragmentC dq[HeadSize / 8] = {};
    multiply_values<Keys, HeadSize>(dq, scores, k, place.length);
    store_sums(dq, of.dq, place, first);
  }
  __syncthreads();
  if (!has_rows) return;
  for (int product = 0; product < 2; ++product) {
    const bool is_value = product == 0;
    const SharedTile pairs = is_value ? p : ds, rows = is_value ? dout : q;
    FragmentC sums[HeadSize / 8] = {};
    for (int query = 0; query < place.length; query += tile_rows) {
      const FragmentA a = load_a_transposed(pairs, first, query);
#pragma unroll
      for (int d = 0; d < HeadSize / 16; ++d) {
        const TwoFragmentsB b = load_b(rows, query, d * 16);
        multiply_add(sums[2 * d], a, b.left);
        multiply_add(sums[2 * d + 1], a, b.right);
      }
    }
    store_sums(sums, is_value ? of.dv : of.dk, place, first);
  }
}

template <int Keys, int HeadSize>
constexpr std::size_t tile_bytes = sizeof(BFloat16) * Keys* padded<HeadSize>;

/// Calls use(Keys, HeadSize) as integral constants.
template <class Use>
void with_shape(std::int64_t longest, std::int64_t head_size, const Use& use) {
  const auto with_head = [&](auto keys) {
    if (head_size == 32) return use(keys, std::integral_constant<int, 32>{});
    if (head_size == 64) return use(keys, std::integral_constant<int, 64>{});
    use(keys, std::integral_constant<int, 128>{});
  };
  if (longest <= 64) return with_head(std::integral_constant<int, 64>{});
  with_head(std::integral_constant<int, 128>{});
}

}  // namespace

bool fits_short_attention(std::span<const ConstMatrixView> operands, const SequenceView& sequences,
                          const AttentionShape& shape) {
  const bool is_head = shape.head_size == 32 || shape.head_size == 64 || shape.head_size == 128;
  return is_head && shape.queries == AttentionShape::Queries::All &&
         sequences.longest <= most_short_rows &&
         std::all_of(operands.begin(), operands.end(), [](const ConstMatrixView& view) {
           return view.dtype == DType::BF16 && fits_packs(view);
         });
}

void short_attention(Stream stream, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                     const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                     const StepState* state, MatrixView out, MatrixView log_sum_exp) {
  const Forward of{rows_of<BFloat16>(q),
                   rows_of<BFloat16>(k),
                   rows_of<BFloat16>(v),
                   sequences,
                   static_cast<float>(shape.scale),
                   dropout,
                   state,
                   rows_of<BFloat16>(out),
                   rows_of<float>(log_sum_exp)};
  with_shape(sequences.longest, shape.head_size, [&](auto keys, auto head_size) {
    constexpr int most = decltype(keys)::value, size = decltype(head_size)::value;
    launch(stream, shape.heads, sequences.sequences + 1, most / tile_rows * warp_size,
           3 * tile_bytes<most, size>, short_attention_kernel<most, size>, of);
  });
}

void short_attention_gradient(Stream stream, ConstMatrixView dout, ConstMatrixView q,
                              ConstMatrixView k, ConstMatrixView v, ConstMatrixView out,
                              ConstMatrixView log_sum_exp, const SequenceView& sequences,
                              const AttentionShape& shape, Dropout dropout, const StepState* state,
                              MatrixView dq, MatrixView dk, MatrixView dv) {
  const Backward of{rows_of<BFloat16>(dout),
                    rows_of<BFloat16>(q),
                    rows_of<BFloat16>(k),
                    rows_of<BFloat16>(v),
                    rows_of<BFloat16>(out),
                    rows_of<float>(log_sum_exp),
                    sequences,
                    static_cast<float>(shape.scale),
                    dropout,
                    state,
                    rows_of<BFloat16>(dq),
                    rows_of<BFloat16>(dk),
                    rows_of<BFloat16>(dv)};
  with_shape(sequences.longest, shape.head_size, [&](auto keys, auto head_size) {
    constexpr int most = decltype(keys)::value, size = decltype(head_size)::value;
    launch(stream, shape.heads, sequences.sequences + 1, most / tile_rows * warp_size,
           4 * tile_bytes<most, size> + 2 * tile_bytes<most, most>,
           short_attention_gradient_kernel<most, size>, of);
  });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
