#pragma once

#include <cstdint>

#include "tensor/host_device.h"
#include "tensor/philox.h"

namespace basis {

// Normal numbers by Box and Muller from Philox's words, the same bits on every device: f32
// arithmetic that nobody may contract or reassociate, and polynomials in place of each library's
// own functions. Who includes this is compiled with -ffp-contract=off; on a GPU the words below
// say so.

namespace exact {

BASIS_FUNCTOR float product(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// a b + c, rounded twice.
BASIS_FUNCTOR float product_and_sum(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(__fmul_rn(a, b), c);
#else
  return a * b + c;
#endif
}

BASIS_FUNCTOR float root(float x) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}

/// The polynomial in x, highest power first.
BASIS_FUNCTOR float polynomial(float, float value) {
  return value;
}
template <class... Rest>
BASIS_FUNCTOR float polynomial(float x, float value, float next, Rest... rest) {
  return polynomial(x, product_and_sum(value, x, next), rest...);
}

/// The logarithm of (word / 2^32), of 0 that of 2^-33. At most 0; within 1e-7 of it, relatively.
/// The polynomial is that of Cephes' logf (Moshier), as are those of sine and cosine.
BASIS_FUNCTOR float log_of_share(std::uint32_t word) {
  constexpr std::uint32_t root_of_half = 0x3f3504f3u;  // bits of the float
  const float whole = word == 0 ? 0.5f : static_cast<float>(word);
  const auto bits = __builtin_bit_cast(std::uint32_t, whole);
  const std::int32_t power = static_cast<std::int32_t>(bits - root_of_half) >> 23;
  const float mantissa =
      __builtin_bit_cast(float, bits - (static_cast<std::uint32_t>(power) << 23));
  const float e = static_cast<float>(power - 32);
  const float x = mantissa - 1.0f;
  const float square = product(x, x);
  float y = polynomial(x, 7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                       1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f,
                       3.3333331174e-1f);
  y = product(product(y, x), square);
  y = product_and_sum(e, -2.12194440e-4f, y);  // log 2 in two parts
  y = product_and_sum(square, -0.5f, y);
  return product_and_sum(e, 0.693359375f, x + y);
}

}  // namespace exact

struct NormalPair {
  float first, second;
};

/// Two independent draws from N(0, 1) from 64 random bits; none above 6.8.
BASIS_FUNCTOR NormalPair normal_pair(std::uint32_t word0, std::uint32_t word1) {
  const float log = exact::log_of_share(word0);
  const float radius = exact::root(exact::product(-2.0f, log < 0.0f ? log : 0.0f));
  // The upper two bits of the angle are a quadrant, the others a place from -pi/4 to pi/4 in it.
  const std::uint32_t quadrant = word1 >> 30;
  const auto place = static_cast<std::int32_t>(word1 << 2);
  const float x = exact::product(static_cast<float>(place), 3.6572951e-10f);  // pi/4 / 2^31
  const float z = exact::product(x, x);
  const float sine = exact::product_and_sum(
      exact::product(exact::polynomial(z, -1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f),
                     z),
      x, x);
  const float cosine = exact::polynomial(z, 2.443315711809948e-5f, -1.388731625493765e-3f,
                                         4.166664568298827e-2f, -0.5f, 1.0f);
  const bool turns = (quadrant & 1u) != 0;
  const float a = turns ? sine : cosine;
  const float b = turns ? cosine : sine;
  const float sign_a = ((quadrant + 1u) & 2u) != 0 ? -radius : radius;
  const float sign_b = (quadrant & 2u) != 0 ? -radius : radius;
  return {exact::product(sign_a, a), exact::product(sign_b, b)};
}

/// Four draws: elements 4 block to 4 block + 3 of a stream. `key` tells streams apart.
struct NormalFour {
  float at[4];
};

/// The counter of (block, step): dropout's with another key (philox_counter).
BASIS_HOST_DEVICE constexpr PhiloxCounter noise_counter(std::uint32_t block, std::uint64_t step) {
  return philox_counter(block, 0, static_cast<std::uint32_t>(step >> 32),
                        static_cast<std::uint32_t>(step));
}

/// Noise of one parameter and seed: `stream` is a hash of the parameter's name (hash_of_name).
BASIS_HOST_DEVICE constexpr PhiloxKey noise_key(std::uint64_t seed, std::uint64_t stream) {
  return philox_key(seed ^ stream);
}

BASIS_FUNCTOR NormalFour normal_four(const PhiloxCounter& drawn) {
  const NormalPair low = normal_pair(drawn.word[0], drawn.word[1]);
  const NormalPair high = normal_pair(drawn.word[2], drawn.word[3]);
  return {{low.first, low.second, high.first, high.second}};
}

}  // namespace basis
