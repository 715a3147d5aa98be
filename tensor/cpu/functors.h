#pragma once
// Elementwise arithmetic, for the kernels of every device.

#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/philox.h"

namespace basis {

#define BASIS_FUNCTOR inline __attribute__((always_inline)) BASIS_HOST_DEVICE

BASIS_FUNCTOR double exponential(double x) {
  return __builtin_exp(x);
}
BASIS_FUNCTOR float exponential(float x) {
  return __builtin_expf(x);
}
BASIS_FUNCTOR double error_function(double x) {
  return __builtin_erf(x);
}
BASIS_FUNCTOR float error_function(float x) {
  return __builtin_erff(x);
}
BASIS_FUNCTOR double hyperbolic_tangent(double x) {
  return __builtin_tanh(x);
}
BASIS_FUNCTOR float hyperbolic_tangent(float x) {
  return __builtin_tanhf(x);
}
BASIS_FUNCTOR double logarithm(double x) {
  return __builtin_log(x);
}
BASIS_FUNCTOR float logarithm(float x) {
  return __builtin_logf(x);
}
BASIS_FUNCTOR double square_root(double x) {
  return __builtin_sqrt(x);
}
BASIS_FUNCTOR float square_root(float x) {
  return __builtin_sqrtf(x);
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

template <class T>
struct GeluErf {
  static BASIS_FUNCTOR T value(T x) {
    return T(0.5) * x * (T(1) + error_function(x * T(0.70710678118654752440)));
  }
  static BASIS_FUNCTOR T derivative(T x) {
    return T(0.5) * (T(1) + error_function(x * T(0.70710678118654752440))) +
           x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x);
  }
};

template <class T>
struct GeluTanh {
  static BASIS_FUNCTOR T inner(T x) {
    return T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
  }
  static BASIS_FUNCTOR T value(T x) { return T(0.5) * x * (T(1) + hyperbolic_tangent(inner(x))); }
  static BASIS_FUNCTOR T derivative(T x) {
    const T t = hyperbolic_tangent(inner(x));
    const T slope = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
    return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * slope;
  }
};

template <class T>
struct Relu {
  static BASIS_FUNCTOR T value(T x) { return x < T(0) ? T(0) : x; }
  static BASIS_FUNCTOR T derivative(T x) { return x > T(0) ? T(1) : T(0); }
};

template <class T>
struct Tanh {
  static BASIS_FUNCTOR T value(T x) { return hyperbolic_tangent(x); }
  static BASIS_FUNCTOR T derivative(T x) {
    const T t = hyperbolic_tangent(x);
    return T(1) - t * t;
  }
};

}  // namespace basis
