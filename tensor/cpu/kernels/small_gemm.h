#pragma once

#include "tensor/cpu/kernels/vector.h"

// A product whose operands stand packed in the cache: the tiles of attention.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// Left operand: element (row, l) stands at data[row * row_step + l * inner_step].
template <class T>
struct LeftTile {
  const T* data;
  Index row_step, inner_step;
};

// R x V registers of c = (c +) a b stay in registers over the whole inner loop.
template <class T, int R, int V>
inline void multiply_block(Index inner, LeftTile<T> a, const T* b, Index b_stride, T* c,
                           Index c_stride, bool adds) {
  constexpr Index W = lanes_of<T>;
  Vector<T> sum[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const auto* from = reinterpret_cast<const Vector<T>*>(c + r * c_stride + v * W);
      sum[r][v] = adds ? *from : Vector<T>{};
    }
  }
  for (Index l = 0; l < inner; ++l) {
    Vector<T> right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      right[v] = *reinterpret_cast<const Vector<T>*>(b + l * b_stride + v * W);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const T left = a.data[r * a.row_step + l * a.inner_step];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      *reinterpret_cast<Vector<T>*>(c + r * c_stride + v * W) = sum[r][v];
    }
  }
}

template <class T, int V>
void multiply_panel(Index rows, Index inner, LeftTile<T> a, const T* b, Index b_stride, T* c,
                    Index c_stride, bool adds) {
  // V registers of b, one of a, the rest for sums.
  constexpr int most = (vector_registers - V - 2) / V;
  constexpr int R = most > 6 ? 6 : most;
  Index row = 0;
  auto advance = [&](Index by) {
    row += by;
    a.data += by * a.row_step;
    c += by * c_stride;
  };
  for (; row + R <= rows; advance(R)) {
    multiply_block<T, R, V>(inner, a, b, b_stride, c, c_stride, adds);
  }
  for (; row + 2 <= rows; advance(2)) {
    multiply_block<T, 2, V>(inner, a, b, b_stride, c, c_stride, adds);
  }
  for (; row < rows; advance(1)) {
    multiply_block<T, 1, V>(inner, a, b, b_stride, c, c_stride, adds);
  }
}

/// c = a b, or c += a b. a: (rows, inner); b: (inner, columns) and c: (rows, columns) row-major and
/// aligned to a register, columns and strides whole registers.
template <class T>
void multiply(Index rows, Index columns, Index inner, LeftTile<T> a, const T* b, Index b_stride,
              T* c, Index c_stride, bool adds) {
  constexpr Index W = lanes_of<T>;
  Index column = 0;
  for (; column + 4 * W <= columns; column += 4 * W) {
    multiply_panel<T, 4>(rows, inner, a, b + column, b_stride, c + column, c_stride, adds);
  }
  switch ((columns - column) / W) {
    case 3:
      return multiply_panel<T, 3>(rows, inner, a, b + column, b_stride, c + column, c_stride, adds);
    case 2:
      return multiply_panel<T, 2>(rows, inner, a, b + column, b_stride, c + column, c_stride, adds);
    case 1:
      return multiply_panel<T, 1>(rows, inner, a, b + column, b_stride, c + column, c_stride, adds);
    default:
      return;
  }
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
