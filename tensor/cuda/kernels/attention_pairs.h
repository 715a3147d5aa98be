#pragma once

#include "tensor/cuda/kernels/attention_problem.h"
#include "tensor/cuda/kernels/attention_tiles.h"
#include "tensor/cuda/kernels/mask.h"

// What tuned attention does between its products: a warp's 16 x 16 pairs of a query and a key.
// Their numbers lie in two neighbouring tiles of sums, number i of tile n in FragmentC's order; the
// rows are queries, or, where the gradients of keys and values are summed, keys.

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr float log2_of_e = 1.44269504f;

enum class RowsAre { Queries, Keys };

template <RowsAre rows>
struct PairLanes {
  /// Different queries, and keys modulo eight, that a lane has numbers of.
  static constexpr int queries = rows == RowsAre::Queries ? 2 : 4;
  static constexpr int eighths = rows == RowsAre::Queries ? 2 : 1;

  /// Of number i of tile n: its query and key among the sixteen, ...
  static __device__ int query(int lane, int n, int i) {
    return rows == RowsAre::Queries ? row_of_sum(lane, i) : 8 * n + column_of_sum(lane, i);
  }
  static __device__ int key(int lane, int n, int i) {
    return rows == RowsAre::Queries ? 8 * n + column_of_sum(lane, i) : row_of_sum(lane, i);
  }
  /// ... which of the lane's queries that is, and which of its keys modulo eight.
  static constexpr BASIS_HOST_DEVICE int slot_of_query(int n, int i) {
    return rows == RowsAre::Queries ? i / 2 : 2 * n + i % 2;
  }
  static constexpr BASIS_HOST_DEVICE int slot_of_key(int i) {
    return rows == RowsAre::Queries ? i % 2 : 0;
  }
};

/// Which of 16 x 16 pairs dropout keeps. A lane draws for one query and eight keys, all that a call
/// of Philox serves; a ballot for each of the eight hands them out.
template <RowsAre rows>
class KeptPairs {
 public:
  /// `first_query` and `first_key` in the sequence, the latter a multiple of 8. All lanes take
  /// part.
  __device__ KeptPairs(const HeadPlace& place, Dropout dropout, const StepState* state,
                       int first_query, int first_key)
      : lane_(lane_of_thread()) {
    const Draws draws = draw_keys(place.example, place.head, first_query + lane_ % tile_rows,
                                  first_key + lane_ / tile_rows * 8, dropout, state);
#pragma unroll
    for (int eighth = 0; eighth < 8; ++eighth) {
      const unsigned kept = warp_ballot(draws.at(eighth) >= dropout.threshold);
#pragma unroll
      for (int slot = 0; slot < Lanes::eighths; ++slot) {
        if (eighth == Lanes::key(lane_, 0, slot) % 8) kept_[slot] = kept;
      }
    }
  }

  /// Of number i of tile n.
  __device__ bool operator()(int n, int i) const {
    const int drawn_by = Lanes::query(lane_, n, i) + tile_rows * (Lanes::key(lane_, n, i) / 8);
    return (kept_[Lanes::slot_of_key(i)] >> drawn_by & 1u) != 0;
  }

 private:
  using Lanes = PairLanes<rows>;
  int lane_;
  unsigned kept_[Lanes::eighths] = {};
};

/// What a softmax left of a lane's queries, for its gradient. A query that is none has an infinite
/// log_sum_exp, which makes its probabilities 0.
template <RowsAre rows>
struct QueryStatistics {
  float log2_sum_exp[PairLanes<rows>::queries];  // log_sum_exp in bits
  float delta[PairLanes<rows>::queries];         // dout . out
};

/// Zero where dropout takes a pair away, of the 16 queries and keys from `first_query` and
/// `first_key` on, the keys in two tiles. All lanes take part.
__device__ inline void drop(FragmentC* weights, const HeadPlace& place, Dropout dropout,
                            const StepState* state, int first_query, int first_key) {
  const KeptPairs<RowsAre::Queries> is_kept(place, dropout, state, first_query, first_key);
#pragma unroll
  for (int n = 0; n < 2; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (!is_kept(n, i)) weights[n].at[i] = 0;
    }
  }
}

/// Writes what a softmax left of the sixteen queries from `first` on: see QueryStatistics.
template <int HeadSize>
__device__ void keep_statistics(const Bf16Backward& of, const HeadPlace& place, int first,
                                float* log2_sum_exp, float* delta) {
  const int lane = lane_of_thread();
  for (int half = 0; half < 2; ++half) {
    const int own = row_of_sum(lane, 2 * half);
    const bool is_query = first + own < place.length;
    const int row = place.first_row + first + own;
    float sum = 0;
    for (int column = lane % 4 * pack_size; is_query && column < HeadSize;
         column += 4 * pack_size) {
      const auto a = load<pack_size>(of.dout.row(row) + place.column + column);
      const auto b = load<pack_size>(of.out.row(row) + place.column + column);
      for (int i = 0; i < pack_size; ++i) sum += a.at[i] * b.at[i];
    }
    sum = quad_sum(sum);
    if (lane % 4 != 0) continue;
    delta[own] = sum;
    log2_sum_exp[own] =
        is_query ? of.log_sum_exp.row(row)[place.head] * log2_of_e : __builtin_huge_valf();
  }
}

/// From `scores` = q kᵀ and `weights` = dout vᵀ: `weights` become P, dropped out, and `scores`
/// scale P (mask dout vᵀ - delta), the gradient of q kᵀ. `keys`: those that there are from this
/// tile's first on.
template <RowsAre rows, class IsKept>
__device__ void gradients_where_kept(FragmentC* scores, FragmentC* weights,
                                     const QueryStatistics<rows>& of, float scale, float kept_scale,
                                     int keys, const IsKept& is_kept) {
  using Lanes = PairLanes<rows>;
  const int lane = lane_of_thread();
#pragma unroll
  for (int n = 0; n < 2; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int query = Lanes::slot_of_query(n, i);
      const float power = scores[n].at[i] * (scale * log2_of_e) - of.log2_sum_exp[query];
      const float p = Lanes::key(lane, n, i) < keys ? fast_power_of_two(power) : 0.0f;
      const float mask = is_kept(n, i) ? kept_scale : 0.0f;
      scores[n].at[i] = scale * p * (weights[n].at[i] * mask - of.delta[query]);
      weights[n].at[i] = p * mask;
    }
  }
}

/// The same with dropout's mask. `first_query` and `first_key` in the sequence. All lanes take
/// part.
template <RowsAre rows>
__device__ void pair_gradients(FragmentC* scores, FragmentC* weights,
                               const QueryStatistics<rows>& statistics, const Bf16Backward& of,
                               const HeadPlace& place, int first_query, int first_key) {
  const int keys = place.length - first_key;
  const auto kept_scale = static_cast<float>(of.dropout.scale());
  if (!of.dropout.is_active()) {
    return gradients_where_kept(scores, weights, statistics, of.scale, kept_scale, keys,
                                [](int, int) { return true; });
  }
  const KeptPairs<rows> is_kept(place, of.dropout, of.state, first_query, first_key);
  gradients_where_kept(scores, weights, statistics, of.scale, kept_scale, keys, is_kept);
}

/// Dropped-out probabilities and gradients of scores of 16 keys by 16 queries, rounded, as they are
/// multiplied with rows of dout and of q.
struct PairsOfKeys {
  FragmentA weights, dscores;
};

/// `log2_sum_exp` and `delta`: of the sixteen queries, in shared memory. All lanes take part.
__device__ inline PairsOfKeys pairs_of_keys(FragmentC* scores, FragmentC* weights,
                                            const float* log2_sum_exp, const float* delta,
                                            const Bf16Backward& of, const HeadPlace& place,
                                            int first_query, int first_key) {
  using Lanes = PairLanes<RowsAre::Keys>;
  const int lane = lane_of_thread();
  QueryStatistics<RowsAre::Keys> statistics;
#pragma unroll
  for (int n = 0; n < 2; ++n) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int query = Lanes::query(lane, n, i), slot = Lanes::slot_of_query(n, i);
      statistics.log2_sum_exp[slot] = log2_sum_exp[query];
      statistics.delta[slot] = delta[query];
    }
  }
  pair_gradients(scores, weights, statistics, of, place, first_query, first_key);
  return {rounded_a(weights[0], weights[1]), rounded_a(scores[0], scores[1])};
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
