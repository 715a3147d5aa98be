#pragma once

// For files of tensor/cuda and its tests alone; not installed.

// Products of small tiles by a warp's tensor cores: mma.sync m16n8k16 on bf16 with sums in f32,
// and ldmatrix, which brings its operands from shared memory. Which element stands in which lane is
// from the PTX ISA, "Matrix Fragments for mma.m16n8k16".

#include <cstring>

#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// 16 x 16 of A, row by row: word w of lane l has row l / 4 + 8 (w % 2), columns 2 (l % 4) and the
/// next, + 8 (w / 2).
struct FragmentA {
  std::uint32_t word[4];
};
/// 16 x 8 of B: word w of lane l has rows 2 (l % 4) and the next, + 8 w, of column l / 4.
struct FragmentB {
  std::uint32_t word[2];
};
/// 16 x 8 of sums: number n of lane l is row l / 4 + 8 (n / 2), column 2 (l % 4) + n % 2.
struct FragmentC {
  float at[4];
};

BASIS_HOST_DEVICE constexpr int row_of_sum(int lane, int n) {
  return lane / 4 + 8 * (n / 2);
}
BASIS_HOST_DEVICE constexpr int column_of_sum(int lane, int n) {
  return 2 * (lane % 4) + n % 2;
}

/// Four 8 x 8 matrices: word w of lane l has row l / 4, columns 2 (l % 4) and the next, of matrix
/// w; transposed: rows 2 (l % 4) and the next of column l / 4.
struct FourMatrices {
  std::uint32_t word[4];
};

#if defined(__CUDACC__)

__device__ inline void multiply_add(FragmentC& sum, const FragmentA& a, const FragmentB& b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum.at[0]), "+f"(sum.at[1]), "+f"(sum.at[2]), "+f"(sum.at[3])
      : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b.word[0]),
        "r"(b.word[1]));
}

/// `row`: in lane l row l % 8 of matrix l / 8, 16 bytes in shared memory on 16 bytes.
__device__ inline FourMatrices load_matrices(const BFloat16* row) {
  FourMatrices of;
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(of.word[0]), "=r"(of.word[1]), "=r"(of.word[2]), "=r"(of.word[3])
               : "r"(address)
               : "memory");
  return of;
}
__device__ inline FourMatrices load_matrices_transposed(const BFloat16* row) {
  FourMatrices of;
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(of.word[0]), "=r"(of.word[1]), "=r"(of.word[2]), "=r"(of.word[3])
               : "r"(address)
               : "memory");
  return of;
}

/// 16 bytes from global to shared memory, both on 16 bytes; there after wait_for_copies.
__device__ inline void copy_ahead(BFloat16* shared, const BFloat16* global) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
/// For this thread's copies; the block's are there after a barrier.
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_all;" ::: "memory");
}

#else

inline void multiply_add(FragmentC& sum, const FragmentA& a, const FragmentB& b) {
  struct Operands {
    FragmentA a;
    FragmentB b;
  };
  const Operands* of = exchange(Operands{a, b});
  const auto half = [](std::uint32_t word, int i) {
    return i == 0 ? low_half(word) : high_half(word);
  };
  const int lane = static_cast<int>(threadIdx.x % 32);
  for (int n = 0; n < 4; ++n) {
    const int row = row_of_sum(lane, n), column = column_of_sum(lane, n);
    for (int k = 0; k < 16; ++k) {
      const int pair = k % 8 / 2;  // the lane of a row's or column's four that has it
      const float x = half(of[row % 8 * 4 + pair].a.word[row / 8 + 2 * (k / 8)], k % 2);
      const float y = half(of[column * 4 + pair].b.word[k / 8], k % 2);
      sum.at[n] += x * y;
    }
  }
}

inline FourMatrices load_matrices(const BFloat16* row) {
  const BFloat16* const* rows = exchange(row);
  const int lane = static_cast<int>(threadIdx.x % 32);
  FourMatrices of;
  for (int m = 0; m < 4; ++m) {
    std::memcpy(&of.word[m], rows[8 * m + lane / 4] + 2 * (lane % 4), 4);
  }
  return of;
}
inline FourMatrices load_matrices_transposed(const BFloat16* row) {
  const BFloat16* const* rows = exchange(row);
  const int lane = static_cast<int>(threadIdx.x % 32);
  FourMatrices of;
  for (int m = 0; m < 4; ++m) {
    const BFloat16 first = rows[8 * m + 2 * (lane % 4)][lane / 4];
    const BFloat16 second = rows[8 * m + 2 * (lane % 4) + 1][lane / 4];
    of.word[m] = std::uint32_t{first.bits} | std::uint32_t{second.bits} << 16;
  }
  return of;
}

inline void copy_ahead(BFloat16* shared, const BFloat16* global) {
  std::memcpy(shared, global, 16);
}
inline void wait_for_copies() {}

#endif

/// Where the pack `pack` of row `row` stands in its row of so many columns: other packs for rows
/// beside each other, so that the same pack of eight rows lies in all 32 banks.
template <int Columns>
BASIS_HOST_DEVICE constexpr int swizzled_pack(int row, int pack) {
  constexpr int packs = Columns / pack_size;
  constexpr int rows_a_line = packs < 8 ? 8 / packs : 1;  // of 128 bytes, all banks once
  return pack ^ (row / rows_a_line % (packs < 8 ? packs : 8));
}

/// A matrix of bf16 in shared memory, rows behind each other.
template <int Columns>
struct SharedTile {
  BFloat16* data;

  __device__ BFloat16* at(int row, int column) const {
    const int pack = swizzled_pack<Columns>(row, column / pack_size);
    return data + row * Columns + pack * pack_size + column % pack_size;
  }
  /// Behind so many rows.
  __device__ BFloat16* end(int rows) const { return data + rows * Columns; }
};

__device__ inline FragmentA as_a(const FourMatrices& m) {
  return {{m.word[0], m.word[1], m.word[2], m.word[3]}};
}

/// A = rows [row, row + 16), columns [column, column + 16) of `tile`.
template <int Columns>
__device__ FragmentA load_a(SharedTile<Columns> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  return as_a(load_matrices(tile.at(row + lane % 16, column + lane / 16 * 8)));
}
/// A = the transpose of rows [column, column + 16), columns [row, row + 16) of `tile`.
template <int Columns>
__device__ FragmentA load_a_transposed(SharedTile<Columns> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  return as_a(
      load_matrices_transposed(tile.at(column + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8)));
}

/// The inverse of load_a.
template <int Columns>
__device__ void store_a(const FragmentA& a, SharedTile<Columns> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  for (int w = 0; w < 4; ++w) {
    *reinterpret_cast<std::uint32_t*>(
        tile.at(row + lane / 4 + 8 * (w % 2), column + 2 * (lane % 4) + 8 * (w / 2))) = a.word[w];
  }
}

/// Two Bs side by side.
struct TwoFragmentsB {
  FragmentB left, right;
};
/// B = columns [column, column + 16) and rows [row, row + 16) of the transpose of `tile`, whose
/// rows are B's columns.
template <int Columns>
__device__ TwoFragmentsB load_b_transposed(SharedTile<Columns> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const FourMatrices m =
      load_matrices(tile.at(column + lane / 16 * 8 + lane % 8, row + lane / 8 % 2 * 8));
  return {{{m.word[0], m.word[1]}}, {{m.word[2], m.word[3]}}};
}
/// B = rows [row, row + 16), columns [column, column + 16) of `tile`.
template <int Columns>
__device__ TwoFragmentsB load_b(SharedTile<Columns> tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const FourMatrices m =
      load_matrices_transposed(tile.at(row + lane / 8 % 2 * 8 + lane % 8, column + lane / 16 * 8));
  return {{{m.word[0], m.word[1]}}, {{m.word[2], m.word[3]}}};
}

/// sums += a times two Bs side by side.
__device__ inline void multiply_add(FragmentC& left, FragmentC& right, const FragmentA& a,
                                    const TwoFragmentsB& b) {
  multiply_add(left, a, b.left);
  multiply_add(right, a, b.right);
}

/// Two neighbouring tiles of sums, rounded, as an A of 16 columns.
__device__ inline FragmentA rounded_a(const FragmentC& left, const FragmentC& right) {
  return {{two_halves(left.at[0], left.at[1]), two_halves(left.at[2], left.at[3]),
           two_halves(right.at[0], right.at[1]), two_halves(right.at[2], right.at[3])}};
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
