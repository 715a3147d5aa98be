#pragma once

// Elementwise arithmetic, written once for the kernels of every device and instruction set.

#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/host_device.h"

namespace basis {

// ---- Functions ----------------------------------------------------------------------------------
// f32: polynomials of our own without branches, for one number or for a register of them (V, GCC's
// vectors); errors are the largest over all f32 (tests/tensor/cpu_functors_test.cpp). f64, for
// checks: the C library's. Polynomials are minimax fits (Lawson's weights) of the functions named
// beside them.

/// The bits of a V as integers.
template <class V>
struct IntegersOf {
  static_assert(sizeof(V{}[0]) == sizeof(float), "registers of f32 only");
  using type = decltype(V{} < V{});
};
template <>
struct IntegersOf<float> {
  using type = std::int32_t;
};
template <class V>
using Integers = typename IntegersOf<V>::type;

template <class V>
BASIS_FUNCTOR V magnitude(V x) {
  return __builtin_bit_cast(V, __builtin_bit_cast(Integers<V>, x) & 0x7FFFFFFF);
}
BASIS_FUNCTOR double magnitude(double x) {
  return __builtin_fabs(x);
}
/// `size`, which is not negative, with the sign of x.
template <class V>
BASIS_FUNCTOR V with_sign_of(V x, V size) {
  const Integers<V> sign = __builtin_bit_cast(Integers<V>, x) & (-0x7FFFFFFF - 1);
  return __builtin_bit_cast(V, __builtin_bit_cast(Integers<V>, size) | sign);
}

/// 2^n for n from -127 (which gives 0) to 127; of NaN's n it is anything.
template <class V>
BASIS_FUNCTOR V power_of_two(Integers<V> n) {
  if constexpr (sizeof(V) == sizeof(float)) {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(n + 127) << 23);
  } else {
    return __builtin_bit_cast(V, (n + 127) << 23);
  }
}

/// e^x = mantissa 2^exponent.
template <class V>
struct ExponentialParts {
  V mantissa;
  Integers<V> exponent;
};
template <class V>
BASIS_FUNCTOR ExponentialParts<V> exponential_parts(V x) {
  // x = n ln 2 + r, |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to an integer in the low bits.
  const float magic = 12582912.0f;
  const V shifted = x * 1.44269504f + magic;
  const V rounded = shifted - magic;
  // ln 2 in two parts, the first with zeros at its end: its product with n is exact.
  V r = x - rounded * 0.693359375f;
  r = r - rounded * -2.12194440e-4f;
  // (e^r - 1 - r) / r^2
  V p = r * 0.00138131424f + 0.00836941879f;
  p = p * r + 0.041668456f;
  p = p * r + 0.166665152f;
  p = p * r + 0.49999994f;
  p = p * (r * r) + r;
  return {p + 1.0f, __builtin_bit_cast(Integers<V>, shifted) - 0x4B400000};
}

/// e^x, within 1 ulp; overflows to infinity, underflows through denormals to 0.
template <class V>
BASIS_FUNCTOR V exponential(V x) {
  // Comparisons let NaN through. Beyond these bounds the result is infinity and 0.
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  const ExponentialParts<V> parts = exponential_parts(x);
  // 2^n in two factors: n goes from -150 to 128.
  const Integers<V> half = parts.exponent >> 1;
  return parts.mantissa * power_of_two<V>(half) * power_of_two<V>(parts.exponent - half);
}
BASIS_FUNCTOR double exponential(double x) {
  return __builtin_exp(x);
}

/// e^x for x < 88, within 1 ulp, and 0 where that is below the least normal number.
template <class V>
BASIS_FUNCTOR V exponential_without_overflow(V x) {
  x = x < -87.33654f ? -88.0f : x;  // there the exponent is -127, which makes the factor 0
  const ExponentialParts<V> parts = exponential_parts(x);
  return parts.mantissa * power_of_two<V>(parts.exponent);
}
BASIS_FUNCTOR double exponential_without_overflow(double x) {
  return __builtin_exp(x);
}

/// e^(t^2) erfc(t) for t >= 0, given u = 1 / (1 + 0.3275911 t) (the variable of Abramowitz and
/// Stegun 7.1.26), within 3e-7 of itself.
template <class V>
BASIS_FUNCTOR V scaled_complement(V u) {
  V p = u * 0.0558197871f + -0.312379122f;
  p = p * u + 0.615918398f;
  p = p * u + -0.544383585f;
  p = p * u + 0.487928241f;
  p = p * u + -0.0429030471f;
  p = p * u + 0.203257531f;
  p = p * u + 0.166241005f;
  p = p * u + 0.185717553f;
  p = p * u + 0.184783235f;
  return p * u;
}

/// tanh(x), within 1.4 ulp.
template <class V>
BASIS_FUNCTOR V hyperbolic_tangent(V x) {
  const V t = magnitude(x);
  const V s = x * x;
  // |x| < 0.6: (tanh(x) / x - 1) / x^2
  V p = s * -0.00589515036f + 0.0207959637f;
  p = p * s + -0.0537838265f;
  p = p * s + 0.133319244f;
  p = p * s + -0.333332986f;
  const V near = p * s * x + x;
  const V far = with_sign_of(x, 1.0f - 2.0f / (exponential(2.0f * t) + 1.0f));
  return t < 0.6f ? near : far;
}
BASIS_FUNCTOR double hyperbolic_tangent(double x) {
  return __builtin_tanh(x);
}

BASIS_FUNCTOR double logarithm(double x) {
  return __builtin_log(x);
}
BASIS_FUNCTOR float logarithm(float x) {
  return __builtin_logf(x);
}
/// log(1 + x) for x from 0 to 1, within 2.1 ulp.
template <class V>
BASIS_FUNCTOR V logarithm_of_one_plus(V x) {
  // (log(1 + x) - x) / x^2
  V p = x * -0.00324402540f + 0.0198514648f;
  p = p * x + -0.0569595434f;
  p = p * x + 0.106036566f;
  p = p * x + -0.153055936f;
  p = p * x + 0.196759403f;
  p = p * x + -0.249541342f;
  p = p * x + 0.333299637f;
  p = p * x + -0.499999017f;
  return p * (x * x) + x;
}
BASIS_FUNCTOR double logarithm_of_one_plus(double x) {
  return __builtin_log1p(x);
}

/// The logistic function of |x| and of -|x|, from e = e^-|x|; both keep their last places.
template <class V>
struct Logistic {
  V above, below;
};
template <class V>
BASIS_FUNCTOR Logistic<V> logistic_at(V e) {
  const V above = 1.0f / (1.0f + e);
  return {above, e * above};
}
BASIS_FUNCTOR double square_root(double x) {
  return __builtin_sqrt(x);
}
BASIS_FUNCTOR float square_root(float x) {
  return __builtin_sqrtf(x);
}

/// The normal distribution's mass below x, within 2.3 epsilon (absolute), and its density at x,
/// within half an epsilon: one exponential serves both.
template <class V>
struct Normal {
  V below, density;
};
template <class V>
BASIS_FUNCTOR Normal<V> normal_at(V x) {
  const V e = exponential_without_overflow(-0.5f * x * x);
  const V u = 1.0f / (1.0f + 0.231641888f * magnitude(x));  // 0.3275911 / sqrt(2)
  const V tail = 0.5f * e * scaled_complement(u);
  return {x < 0.0f ? tail : 1.0f - tail, 0.398942280f * e};
}
BASIS_FUNCTOR Normal<double> normal_at(double x) {
  return {0.5 * __builtin_erfc(-0.70710678118654752440 * x),
          0.39894228040143267794 * exponential(-0.5 * x * x)};
}

// ---- Conversions, round to nearest even ---------------------------------------------------------

BASIS_FUNCTOR float widen(BFloat16 x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
}

BASIS_FUNCTOR BFloat16 narrow(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const std::uint32_t quiet_nan = (bits >> 16) | 0x40u;
  const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  return {static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded)};
}

/// x in f32, rounded to odd: a later rounding to fewer bits is as if made from x itself.
BASIS_FUNCTOR float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = static_cast<double>(nearest);
  std::uint32_t bits = __builtin_bit_cast(std::uint32_t, nearest);
  const bool is_above = __builtin_fabs(back) > __builtin_fabs(x);
  bits -= is_above ? 1u : 0u;              // towards zero
  bits |= back < x || back > x ? 1u : 0u;  // inexact
  return __builtin_bit_cast(float, bits);
}

template <class Out, class In>
struct Convert {
  static BASIS_FUNCTOR Out value(In x) { return static_cast<Out>(x); }
};
template <class Out>
struct Convert<Out, BFloat16> {
  static BASIS_FUNCTOR Out value(BFloat16 x) { return static_cast<Out>(widen(x)); }
};
template <>
struct Convert<BFloat16, float> {
  static BASIS_FUNCTOR BFloat16 value(float x) { return narrow(x); }
};
template <>
struct Convert<BFloat16, double> {
  static BASIS_FUNCTOR BFloat16 value(double x) { return narrow(round_to_odd(x)); }
};
template <>
struct Convert<BFloat16, BFloat16> {
  static BASIS_FUNCTOR BFloat16 value(BFloat16 x) { return x; }
};

// ---- Activations --------------------------------------------------------------------------------

template <class V>
struct ValueAndDerivative {
  V value, derivative;
};

/// x times the normal distribution's mass below x (arXiv 1606.08415). T: what V is a number of.
template <class T>
struct GeluErf {
  template <class V>
  static BASIS_FUNCTOR ValueAndDerivative<V> both(V x) {
    const Normal<V> normal = normal_at(x);
    return {x * normal.below, normal.below + x * normal.density};
  }
};

template <class T>
struct GeluTanh {
  template <class V>
  static BASIS_FUNCTOR ValueAndDerivative<V> both(V x) {
    const V t = hyperbolic_tangent(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x));
    const V slope = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
    return {T(0.5) * x * (T(1) + t), T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * slope};
  }
};

template <class T>
struct Relu {
  template <class V>
  static BASIS_FUNCTOR ValueAndDerivative<V> both(V x) {
    return {x < T(0) ? T(0) : x, x > T(0) ? T(1) : T(0)};
  }
};

template <class T>
struct Tanh {
  template <class V>
  static BASIS_FUNCTOR ValueAndDerivative<V> both(V x) {
    const V t = hyperbolic_tangent(x);
    return {t, T(1) - t * t};
  }
};

template <class T>
struct Sigmoid {
  template <class V>
  static BASIS_FUNCTOR ValueAndDerivative<V> both(V x) {
    const Logistic<V> at = logistic_at(exponential_without_overflow(-magnitude(x)));
    return {x < T(0) ? at.below : at.above, at.below * at.above};
  }
};

}  // namespace basis
