#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <utility>

#include "tensor/cpu/kernels/storage.h"
#include "tensor/cpu/kernels/vector.h"

// Rows worked on register by register. `omp simd` serves where elements stand alone and the cache
// holds the result. A reduction gets from GCC 12 one register that every addition waits for, and
// the end of the row element by element; and no plain store goes past the cache.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// Registers that a sum is spread over, so that additions need not wait for each other.
constexpr int most_chains = 4;

/// Where a loop stands in a row computed in A: at a register's elements, or at one of the last few.
template <class A>
struct Lanes {
  Index begin;
  int chain;  // of a sum: constant after unrolling
};
template <class A>
struct Single {
  Index begin;
};

/// body(Lanes) or body(Single) over [0, columns), in order.
template <class A, int chains = most_chains, class Body>
__attribute__((always_inline)) inline void for_lanes(Index columns, Body body) {
  constexpr Index W = lanes_of<A>;
  Index j = 0;
  for (; j + chains * W <= columns; j += chains * W) {
#pragma GCC unroll 4
    for (int chain = 0; chain < chains; ++chain) body(Lanes<A>{j + chain * W, chain});
  }
  if constexpr (chains > 1) {
    for (; j + W <= columns; j += W) body(Lanes<A>{j, 0});
  }
  for (; j < columns; ++j) body(Single<A>{j});
}

// ---- Reading ------------------------------------------------------------------------------------

/// 16-bit numbers in lanes as wide as A. (GCC 12 makes five instructions of the plain conversion
/// to 32 bits, and warns falsely of the form without a mask.)
template <class A>
inline typename VectorOf<A>::words widen_halves(const void* halves) {
  using Words = typename VectorOf<A>::words;
#if defined(__AVX512F__)
  if constexpr (sizeof(A) == 4) {
    const __m256i narrow = _mm256_loadu_si256(static_cast<const __m256i*>(halves));
    return reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(0xFFFF, narrow));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(A) == 4) {
    const __m128i narrow = _mm_loadu_si128(static_cast<const __m128i*>(halves));
    return reinterpret_cast<Words>(_mm256_cvtepu16_epi32(narrow));
  }
#endif
  using Halves = typename VectorOf<A>::halves;
  return __builtin_convertvector(*static_cast<const Halves*>(halves), Words);
}

template <class A>
inline Vector<A> load(const A* row, Lanes<A> at) {
  return *reinterpret_cast<const typename VectorOf<A>::unaligned*>(row + at.begin);
}
template <class A>
inline A load(const A* row, Single<A> at) {
  return row[at.begin];
}

inline Vector<float> load(NarrowInput row, Lanes<float> at) {
  return reinterpret_cast<Vector<float>>(widen_halves<float>(row.at + at.begin) << 16);
}
inline float load(NarrowInput row, Single<float> at) {
  return row[at.begin];
}

// ---- Writing ------------------------------------------------------------------------------------

/// Results of so many bytes are written past the cache: half of 32 MiB. A plain store reads the
/// line that it overwrites, a third of the traffic of a copy; but what the next kernel can still
/// find in the cache belongs there.
constexpr Index past_cache_bytes = 16 << 20;

/// A row that is written, and whether past the cache.
template <class T>
struct Destination {
  OutputRow<T> row;
  bool is_past_cache;

  explicit operator bool() const { return static_cast<bool>(row); }
  Destination operator+(Index columns) const { return {row + columns, is_past_cache}; }
};

/// Whether `out`, which is no operand too, is to be written past the cache: in whole lines.
template <class T>
inline bool goes_past_cache(MatrixView out) {
  constexpr Index size = static_cast<Index>(sizeof(T));
  return out.rows * out.columns * size >= past_cache_bytes && out.row_stride * size % 64 == 0 &&
         reinterpret_cast<std::uintptr_t>(out.data) % 64 == 0;
}

template <class V>
inline void store_past_cache(void* to, V value) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) {
    _mm512_stream_si512(static_cast<__m512i*>(to), reinterpret_cast<__m512i>(value));
  } else if constexpr (sizeof(V) == 32) {
    _mm256_stream_si256(static_cast<__m256i*>(to), reinterpret_cast<__m256i>(value));
  } else if constexpr (sizeof(V) == 16) {
    _mm_stream_si128(static_cast<__m128i*>(to), reinterpret_cast<__m128i>(value));
  } else {
    __builtin_memcpy(to, &value, sizeof value);
  }
#else
  __builtin_memcpy(to, &value, sizeof value);
#endif
}

/// Makes what this thread wrote past the cache visible before what it writes next.
inline void end_past_cache() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

// The upper half of every lane.
template <int... lane>
inline VectorOf<float>::halves upper_halves(VectorOf<float>::words bits,
                                            std::integer_sequence<int, lane...>) {
  typedef std::uint16_t Both __attribute__((vector_size(vector_bytes)));
  const auto both = reinterpret_cast<Both>(bits);
  return __builtin_shufflevector(both, both, (2 * lane + 1)...);
}

// narrow() of every lane.
inline VectorOf<float>::halves narrow_lanes(Vector<float> value) {
  using Words = VectorOf<float>::words;
  const auto bits = reinterpret_cast<Words>(value);
  const Words rounded = bits + ((bits >> 16 & 1u) + 0x7FFFu);
  const Words stored = value == value ? rounded : bits | 0x400000u;
  return upper_halves(stored, std::make_integer_sequence<int, int{lanes_of<float>}>{});
}

template <class A>
inline void store(A* row, Lanes<A> at, Vector<A> value) {
  *reinterpret_cast<typename VectorOf<A>::unaligned*>(row + at.begin) = value;
}
template <class T>
inline void store(Destination<T> to, Lanes<accumulate_t<T>> at, Vector<accumulate_t<T>> value) {
  if constexpr (is_narrow<T>) {
    const auto stored = narrow_lanes(value);
    if (to.is_past_cache) return store_past_cache(to.row.at + at.begin, stored);
    *reinterpret_cast<VectorOf<float>::halves*>(to.row.at + at.begin) = stored;
  } else {
    if (to.is_past_cache) return store_past_cache(to.row + at.begin, value);
    store(to.row, at, value);
  }
}
template <class A>
inline void store(A* row, Single<A> at, A value) {
  row[at.begin] = value;
}
template <class T>
inline void store(Destination<T> to, Single<accumulate_t<T>> at, accumulate_t<T> value) {
  to.row[at.begin] = value;
}

// ---- Sums ---------------------------------------------------------------------------------------

/// All lanes combined in log2 steps; `combine` takes two registers.
template <class A, Index half = lanes_of<A> / 2, class Combine>
inline A combine_lanes(Vector<A> value, Combine combine) {
  if constexpr (half == 0) {
    return value[0];
  } else {
    typename VectorOf<A>::lanes other{};
    for (Index i = 0; i < lanes_of<A>; ++i) other[i] = i ^ half;
    return combine_lanes<A, half / 2>(combine(value, __builtin_shuffle(value, other)), combine);
  }
}

/// A sum over a row, added to in for_lanes<A, chains>.
template <class A, int chains = most_chains>
struct RowSum {
  Vector<A> lanes[chains] = {};
  A rest = A(0);

  void add(Lanes<A> at, Vector<A> value) { lanes[at.chain] += value; }
  void add(Single<A>, A value) { rest += value; }
  A total() const {
    Vector<A> sum = lanes[0];
#pragma GCC unroll 4
    for (int chain = 1; chain < chains; ++chain) sum += lanes[chain];
    return combine_lanes<A>(sum, [](auto a, auto b) { return a + b; }) + rest;
  }
};

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
