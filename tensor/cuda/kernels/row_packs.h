#pragma once

#include "tensor/cuda/storage.h"

// A row of up to 1024 elements in the registers of a warp: lane l has its packs l, 32 + l, ...

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int most_packs_a_lane = 4;

/// Packs of a row for each lane, from 1 to most_packs_a_lane; 0 where the row is too long.
inline int packs_a_lane(std::int64_t columns) {
  constexpr std::int64_t a_warp = warp_size * pack_size;
  const std::int64_t packs = (columns + a_warp - 1) / a_warp;
  return packs <= most_packs_a_lane ? static_cast<int>(packs) : 0;
}

/// A lane's share of a row of P packs a lane.
template <int P>
struct RowShare {
  Values<pack_size> pack[P];
};

/// body(p, place) for the packs of `row` that are this lane's.
template <int P, class Body>
__device__ void over_share(std::int64_t row, std::int64_t columns, const Body& body) {
  const std::int64_t lane = threadIdx.x % warp_size;
#pragma unroll
  for (int p = 0; p < P; ++p) {
    const std::int64_t column = (p * warp_size + lane) * pack_size;
    if (column < columns) body(p, Place<pack_size>{row, column});
  }
}

/// Calls use(std::integral_constant P) with the P of packs_a_lane, which is not 0.
template <class Use>
void with_packs_a_lane(std::int64_t columns, const Use& use) {
  switch (packs_a_lane(columns)) {
    case 1:
      return use(std::integral_constant<int, 1>{});
    case 2:
      return use(std::integral_constant<int, 2>{});
    case 3:
      return use(std::integral_constant<int, 3>{});
    default:
      return use(std::integral_constant<int, 4>{});
  }
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
