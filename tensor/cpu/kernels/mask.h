#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tensor/cpu/kernels/lanes.h"

// Dropout masks by Philox4x32-10: one call gives the 16-bit draws of 8 neighbouring elements.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// A 16-bit draw inside the 32-bit words that Philox gives.
using Draw __attribute__((may_alias)) = std::uint16_t;

/// Philox calls made at once.
constexpr Index draw_batch = 16;

#if defined(__x86_64__)

/// A 32-bit number in the low half of each lane; what stands in the high half does not matter.
typedef std::uint64_t Lanes64 __attribute__((vector_size(vector_bytes), may_alias));

/// Products of the low halves. GCC does not find this instruction in plain arithmetic. (The form
/// with a mask of ones is the same instruction without GCC 12's false warning.)
inline Lanes64 multiply_low_halves(Lanes64 a, Lanes64 b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Lanes64>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Lanes64>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<Lanes64>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

/// philox4x32 (tensor/philox.h) on draw_batch counters that differ in their first word, side by
/// side.
inline void draw_one_batch(const std::uint32_t* blocks, PhiloxCounter counter, PhiloxKey key,
                           std::uint32_t* words) {
  constexpr int W = vector_bytes / 8;
  constexpr int N = static_cast<int>(draw_batch) / W;
  alignas(64) std::uint64_t wide[draw_batch];
  for (Index i = 0; i < draw_batch; ++i) wide[i] = blocks[i];
  Lanes64 c0[N], c1[N], c2[N], c3[N];
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) {
    c0[n] = *reinterpret_cast<const Lanes64*>(wide + n * W);
    c1[n] = Lanes64{} + counter.word[1];
    c2[n] = Lanes64{} + counter.word[2];
    c3[n] = Lanes64{} + counter.word[3];
  }
  const Lanes64 factor0 = Lanes64{} + 0xD2511F53u;
  const Lanes64 factor1 = Lanes64{} + 0xCD9E8D57u;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Lanes64 low = Lanes64{} + key.low;
    const Lanes64 high = Lanes64{} + key.high;
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) {
      const Lanes64 product0 = multiply_low_halves(c0[n], factor0);
      const Lanes64 product1 = multiply_low_halves(c2[n], factor1);
      c0[n] = (product1 >> 32) ^ c1[n] ^ low;
      c2[n] = (product0 >> 32) ^ c3[n] ^ high;
      c1[n] = product1;
      c3[n] = product0;
    }
    key.low += 0x9E3779B9u;
    key.high += 0xBB67AE85u;
  }
  Lanes64 first_half{}, second_half{};
  for (int i = 0; i < W; ++i) {
    first_half[i] = static_cast<std::uint64_t>(i / 2 + (i % 2) * W);
    second_half[i] = static_cast<std::uint64_t>(W / 2 + i / 2 + (i % 2) * W);
  }
#pragma GCC unroll 8
  for (int n = 0; n < N; ++n) {
    const Lanes64 words01 = (c0[n] & 0xFFFFFFFFu) | (c1[n] << 32);
    const Lanes64 words23 = (c2[n] & 0xFFFFFFFFu) | (c3[n] << 32);
    auto* out = reinterpret_cast<Lanes64*>(words + 4 * n * W);
    out[0] = __builtin_shuffle(words01, words23, first_half);
    out[1] = __builtin_shuffle(words01, words23, second_half);
  }
}

#else

inline void draw_one_batch(const std::uint32_t* blocks, PhiloxCounter counter, PhiloxKey key,
                           std::uint32_t* words) {
  for (Index i = 0; i < draw_batch; ++i) {
    counter.word[0] = blocks[i];
    const PhiloxCounter drawn = philox4x32(counter, key);
    for (Index w = 0; w < 4; ++w) words[4 * i + w] = drawn.word[w];
  }
}

#endif

/// 16-bit draws 8 i to 8 i + 7 of `words` = those of the call with element block blocks[i]. Works
/// in whole batches: both arrays have room for `count` rounded up to draw_batch; words aligned
/// to 64.
inline void draw_blocks(std::uint32_t* blocks, Index count, std::uint32_t example,
                        std::uint32_t site, std::uint32_t step, PhiloxKey key,
                        std::uint32_t* words) {
  const Index rounded = (count + draw_batch - 1) / draw_batch * draw_batch;
  for (Index i = count; i < rounded; ++i) blocks[i] = 0;
  for (Index first = 0; first < rounded; first += draw_batch) {
    draw_one_batch(blocks + first, philox_counter(0, example, site, step), key, words + 4 * first);
  }
}

/// The draws of one row of an activation, in chunks of `chunk` channels.
class RowMask {
 public:
  static constexpr Index chunk = 1024;

  RowMask(Dropout dropout, const StepState* state, MaskPlace place, Index columns)
      : columns_(columns),
        first_block_(static_cast<std::uint32_t>(place.position * ((columns + 7) / 8))),
        example_(place.example),
        site_(dropout.site),
        step_(static_cast<std::uint32_t>(state->step)),
        key_(philox_key(state->seed)) {}

  /// Channels in the chunk that begins at channel `begin`.
  Index count(Index begin) const {
    const Index rest = columns_ - begin;
    return rest < chunk ? rest : chunk;
  }

  /// 16 random bits for each of those channels.
  const Draw* draw(Index begin) {
    const Index calls = (count(begin) + 7) / 8;
    std::uint32_t blocks[chunk / 8];  // a whole number of batches
    for (Index i = 0; i < calls; ++i) {
      blocks[i] = first_block_ + static_cast<std::uint32_t>(begin / 8 + i);
    }
    draw_blocks(blocks, calls, example_, site_, step_, key_, words_);
    return reinterpret_cast<const Draw*>(words_);
  }

 private:
  Index columns_;
  std::uint32_t first_block_, example_, site_, step_;
  PhiloxKey key_;
  alignas(64) std::uint32_t words_[chunk / 2];
};

/// What dropout does to the elements of a row, computed in A; and what no dropout does.
template <class A>
struct Mask {
  const Draw* draws;
  std::uint32_t threshold;
  A scale;

  Vector<A> operator()(Lanes<A> at, Vector<A> value) const {
    const auto drawn = widen_halves<A>(draws + at.begin);
    return drawn < threshold ? Vector<A>{} : value * scale;
  }
  A operator()(Single<A> at, A value) const {
    return draws[at.begin] < threshold ? A(0) : value * scale;
  }
};
struct NoMask {
  template <class At, class Value>
  Value operator()(At, Value value) const {
    return value;
  }
};

/// body(begin, count, mask) for the chunks of a row, the mask's first element that of channel
/// `begin`.
template <class A, class Body>
inline void for_masks(Dropout site, const StepState* state, MaskPlace place, Index columns,
                      Body body) {
  if (!site.is_active()) return body(Index{0}, columns, NoMask{});
  RowMask mask(site, state, place, columns);
  for (Index begin = 0; begin < columns; begin += RowMask::chunk) {
    const Draw* draws = mask.draw(begin);
    body(begin, mask.count(begin), Mask<A>{draws, site.threshold, static_cast<A>(site.scale())});
  }
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
