#pragma once

// For files of tensor/cuda and its tests alone; not installed.

// How kernels read and write rows: as T lies in memory, computed with in f32, 16 bytes at a time
// where the rows are aligned for it.

#include <cstdint>

#include "tensor/cpu/functors.h"
#include "tensor/cuda/device.h"
#include "tensor/cuda/plain.h"
#include "tensor/dtype.h"
#include "tensor/view.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// Elements in a pack: 16 bytes of bf16, twice that of f32, and what one Philox call serves.
constexpr int pack_size = 8;

/// N elements of a row, N = 1 or pack_size, as they are computed with.
template <int N>
struct Values {
  float at[N];
};

/// Where they stand.
template <int N>
struct Place {
  std::int64_t row, column;
};

/// A matrix of T, or of const T.
template <class T>
struct Rows {
  T* data;
  std::int64_t stride;

  __device__ T* row(std::int64_t i) const { return data + i * stride; }
};

template <class T>
Rows<T> rows_of(MatrixView view) {
  return {view.as<T>(), view.row_stride};
}
template <class T>
Rows<const T> rows_of(ConstMatrixView view) {
  return {view.as<T>(), view.row_stride};
}

// ---- One access of 16 bytes or less -------------------------------------------------------------

struct alignas(16) FourWords {
  std::uint32_t word[4];
};

/// Four words that lie on 16 bytes, in one access.
__device__ inline FourWords load_four(const void* from) {
#if defined(__CUDACC__)
  const uint4 four = *static_cast<const uint4*>(from);
  return {{four.x, four.y, four.z, four.w}};
#else
  return *static_cast<const FourWords*>(from);
#endif
}
__device__ inline void store_four(void* to, const FourWords& four) {
#if defined(__CUDACC__)
  // As a statement nvcc may split it in four. `to` may be in global or in shared memory.
  asm volatile("st.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(four.word[0]), "r"(four.word[1]),
               "r"(four.word[2]), "r"(four.word[3])
               : "memory");
#else
  *static_cast<FourWords*>(to) = four;
#endif
}

/// Two bf16 in a word: the first element is its lower half.
__device__ inline float low_half(std::uint32_t word) {
  return __builtin_bit_cast(float, word << 16);
}
__device__ inline float high_half(std::uint32_t word) {
  return __builtin_bit_cast(float, word & 0xFFFF0000u);
}
/// Rounded to nearest even; a NaN stays one.
__device__ inline std::uint32_t two_halves(float low, float high) {
#if defined(__CUDACC__)
  std::uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
#else
  return std::uint32_t{narrow(low).bits} | std::uint32_t{narrow(high).bits} << 16;
#endif
}

template <int N>
__device__ Values<N> load(const float* from) {
  if constexpr (N == 1) {
    return {{*from}};
  } else {
    Values<N> values;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const FourWords four = load_four(from + 4 * half);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        values.at[4 * half + i] = __builtin_bit_cast(float, four.word[i]);
      }
    }
    return values;
  }
}
template <int N>
__device__ Values<N> load(const BFloat16* from) {
  if constexpr (N == 1) {
    return {{widen(*from)}};
  } else {
    const FourWords four = load_four(from);
    Values<N> values;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      values.at[2 * i] = low_half(four.word[i]);
      values.at[2 * i + 1] = high_half(four.word[i]);
    }
    return values;
  }
}
template <int N>
__device__ void store(float* to, const Values<N>& values) {
  if constexpr (N == 1) {
    *to = values.at[0];
  } else {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      FourWords four;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        four.word[i] = __builtin_bit_cast(std::uint32_t, values.at[4 * half + i]);
      }
      store_four(to + 4 * half, four);
    }
  }
}
template <int N>
__device__ void store(BFloat16* to, const Values<N>& values) {
  if constexpr (N == 1) {
    *to = narrow(values.at[0]);
  } else {
    FourWords four;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      four.word[i] = two_halves(values.at[2 * i], values.at[2 * i + 1]);
    }
    store_four(to, four);
  }
}

template <int N, class T>
__device__ Values<N> load(Rows<T> rows, Place<N> place) {
  return load<N>(rows.row(place.row) + place.column);
}
template <int N, class T>
__device__ void store(Rows<T> rows, Place<N> place, const Values<N>& values) {
  store<N>(rows.row(place.row) + place.column, values);
}

/// values += row[column ...], where there is a row.
template <int N>
__device__ void add_to(Values<N>& values, const float* row, std::int64_t column) {
  if (row == nullptr) return;
  const Values<N> terms = load<N>(row + column);
  for (int i = 0; i < N; ++i) values.at[i] += terms.at[i];
}

/// values += rows at `place`.
template <int N, class T>
__device__ void add_to(Values<N>& values, Rows<const T> rows, Place<N> place) {
  const Values<N> terms = load(rows, place);
  for (int i = 0; i < N; ++i) values.at[i] += terms.at[i];
}

// ---- On the host --------------------------------------------------------------------------------

/// Whether every row of `view` may be read in packs: it and its stride lie on 16 bytes, and nobody
/// wants the plain twins. An absent view may.
inline bool fits_packs(ConstMatrixView view) {
  return !is_plain("packs") && reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 &&
         view.columns % pack_size == 0 && (view.rows <= 1 || view.row_stride % pack_size == 0);
}
template <class... Views>
bool all_fit_packs(const Views&... views) {
  return (fits_packs(views) && ...);
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
