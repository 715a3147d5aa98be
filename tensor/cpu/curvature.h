#pragma once

// Curvature Tuning's function (arXiv 2502.07783), written once for the kernels of every device and
// instruction set.

#include "tensor/cpu/functors.h"

namespace basis {

/// A channel's function
///   f(x) = c s(x b / o) x + (1 - c) o softplus(x / o),   o = 1 - b + 1e-6,
/// s the logistic function and softplus(z) = z above 20, for b and c from 0 to 1 (a b below 0,
/// which differences come to, is right too): b = 0 is a blend of a line and softplus, b = 1 is ReLU
/// to 1e-6.
template <class V>
struct CurvatureChannel {
  V beta, c, width, per_width;  // b, c, o, 1 / o
};

/// f and its derivatives.
template <class V>
struct CurvatureGradients {
  V value, by_x, by_beta, by_c;
};

/// T: what V is a number of.
template <class T>
struct Curvature {
  template <class V>
  static BASIS_FUNCTOR V width_of(V beta) {
    return T(1) - beta + T(1e-6);
  }
  template <class V>
  static BASIS_FUNCTOR CurvatureChannel<V> curve(V beta, V c, V per_width) {
    return {beta, c, width_of(beta), per_width};
  }

  /// s(y) and softplus(z) are written as those of -|y| and -|z| and what is missing then, which is
  /// 0, 1 or x: nothing overflows or cancels, and no infinite number meets a zero, for any finite
  /// x. Where 1 / o or b / o makes a factor infinite or too large to be squared, it is held where
  /// the product has long been settled.
  template <class V>
  static BASIS_FUNCTOR CurvatureGradients<V> at(V x, const CurvatureChannel<V>& curve) {
    const V size = magnitude(x);
    const V positive = x < T(0) ? T(0) : x;
    // x s(y) = positive - |x| s(-y of |x|)
    V y = curve.beta * curve.per_width * x;
    const Logistic<V> swish = logistic_at(exponential_without_overflow(-magnitude(y)));
    const V far = curve.beta < T(0) ? swish.above : swish.below;
    const V near = curve.beta < T(0) ? swish.below : swish.above;
    const V swish_slope = swish.above * swish.below;
    y = y > T(100) ? T(100) : y;
    y = y < T(-100) ? T(-100) : y;
    // softplus(z): o softplus(z) = positive + o log(1 + e^-|z|)
    const V z = x * curve.per_width;
    V distance = magnitude(z);
    const V decay = exponential_without_overflow(-distance);
    const Logistic<V> ramp = logistic_at(decay);
    V bend = logarithm_of_one_plus(decay);
    bend = z > T(20) ? T(0) : bend;
    V step = x < T(0) ? ramp.below : ramp.above;
    step = z > T(20) ? T(1) : step;
    // Its derivative by o, z s(z) - softplus(z), is -(|z| s(-|z|) + log(1 + e^-|z|)).
    V by_width = (distance > T(100) ? T(100) : distance) * ramp.below + bend;
    by_width = z > T(20) ? T(0) : by_width;
    // Its square is finite.
    const T farthest = sizeof(T) == sizeof(float) ? T(1e18) : T(1e150);
    distance = distance > farthest ? farthest : distance;

    const V share = T(1) - curve.c;
    const V gap = size * far, bow = curve.width * bend;
    return {positive - curve.c * gap + share * bow,
            curve.c * ((x < T(0) ? far : near) + y * swish_slope) + share * step,
            // d(b / o)/db = (o + b) / o^2, and o + b = 1 + 1e-6
            curve.c * swish_slope * T(1 + 1e-6) * distance * distance - share * by_width,
            -(gap + bow)};
  }
};

}  // namespace basis
