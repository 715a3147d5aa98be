#pragma once

#include "tensor/cpu/kernels/common.h"

// Vectors as GCC's extension gives them, as wide as the instruction set's registers: for the few
// loops whose registers must be laid out by hand.

namespace basis::cpu::BASIS_KERNELS {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
constexpr int vector_registers = 32;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
constexpr int vector_registers = 16;
#else
constexpr int vector_bytes = 16;
constexpr int vector_registers = 16;
#endif

/// `type`: a register of T; `unaligned`: the same in memory; `lanes` and `words`: its lanes as
/// signed and unsigned integers; `halves`: as many 16-bit numbers in memory.
template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(vector_bytes), may_alias));
  typedef float unaligned __attribute__((vector_size(vector_bytes), may_alias, aligned(4)));
  typedef std::int32_t lanes __attribute__((vector_size(vector_bytes)));
  typedef std::uint32_t words __attribute__((vector_size(vector_bytes)));
  typedef std::uint16_t halves
      __attribute__((vector_size(vector_bytes / 2), may_alias, aligned(2)));
};
template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(vector_bytes), may_alias));
  typedef double unaligned __attribute__((vector_size(vector_bytes), may_alias, aligned(8)));
  typedef std::int64_t lanes __attribute__((vector_size(vector_bytes)));
  typedef std::uint64_t words __attribute__((vector_size(vector_bytes)));
  typedef std::uint16_t halves
      __attribute__((vector_size(vector_bytes / 4), may_alias, aligned(2)));
};
template <class T>
using Vector = typename VectorOf<T>::type;

/// Elements of T in one register.
template <class T>
constexpr Index lanes_of = vector_bytes / static_cast<Index>(sizeof(T));

/// `count` rounded up to whole registers.
template <class T>
inline Index padded(Index count) {
  return (count + lanes_of<T> - 1) / lanes_of<T> * lanes_of<T>;
}

/// The W x W block at `from` transposed to `to`; both aligned to a register. log2 W rounds of
/// interleaving row i with row i + W / 2.
template <class T>
inline void transpose_block(const T* from, Index from_stride, T* to, Index to_stride) {
  constexpr int W = static_cast<int>(lanes_of<T>);
  using V = Vector<T>;
  using Lanes = typename VectorOf<T>::lanes;
  Lanes low{}, high{};
  for (int i = 0; i < W; ++i) {
    low[i] = i / 2 + (i % 2) * W;
    high[i] = W / 2 + i / 2 + (i % 2) * W;
  }
  V rows[W], next[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) rows[i] = *reinterpret_cast<const V*>(from + i * from_stride);
#pragma GCC unroll 4
  for (int width = 1; width < W; width *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < W / 2; ++i) {
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + W / 2], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + W / 2], high);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) rows[i] = next[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) *reinterpret_cast<V*>(to + i * to_stride) = rows[i];
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
