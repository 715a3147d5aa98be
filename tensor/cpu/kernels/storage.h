#pragma once

#include "tensor/cpu/kernels/common.h"

// How kernels read and write activations of storage type T in the type that they compute in. f32
// and f64 are plain pointers; a bf16 row widens each element that is read and rounds each that is
// written, and loops over it read like any other.

namespace basis::cpu::BASIS_KERNELS {
namespace {

struct NarrowInput {
  const BFloat16* at;

  float operator[](Index i) const { return widen(at[i]); }
  NarrowInput operator+(Index i) const { return {at + i}; }
  explicit operator bool() const { return at != nullptr; }
};

struct NarrowElement {
  BFloat16& at;

  operator float() const { return widen(at); }
  NarrowElement& operator=(float value) {
    at = narrow(value);
    return *this;
  }
  NarrowElement& operator=(const NarrowElement& other) {
    at = other.at;
    return *this;
  }
  NarrowElement& operator+=(float value) { return *this = widen(at) + value; }
  NarrowElement& operator*=(float value) { return *this = widen(at) * value; }
};

struct NarrowOutput {
  BFloat16* at;

  NarrowElement operator[](Index i) const { return {at[i]}; }
  NarrowOutput operator+(Index i) const { return {at + i}; }
  explicit operator bool() const { return at != nullptr; }
  operator NarrowInput() const { return {at}; }
};

template <class T>
struct RowTypes {
  using input = const T*;
  using output = T*;
};
template <>
struct RowTypes<BFloat16> {
  using input = NarrowInput;
  using output = NarrowOutput;
};
template <class T>
using InputRow = typename RowTypes<T>::input;
template <class T>
using OutputRow = typename RowTypes<T>::output;

/// Row i of a view of T; null rows of an absent one.
template <class T>
inline InputRow<T> input_row(ConstMatrixView x, Index i) {
  return {x.is_absent() ? nullptr : x.as<T>() + i * x.row_stride};
}
template <class T>
inline OutputRow<T> output_row(MatrixView x, Index i) {
  return {x.is_absent() ? nullptr : x.as<T>() + i * x.row_stride};
}

/// What a row that owes is worth, with the bits that pay_rows would leave there.
template <class A, class Row>
struct OwingRow {
  Row at;
  double owed;

  A operator[](Index i) const { return static_cast<A>(static_cast<A>(at[i]) * owed); }
};

template <class T>
constexpr bool is_narrow = sizeof(T) < sizeof(accumulate_t<T>);

/// body(A* row) with a row of `columns` numbers on the stack, in the type A that T is computed in.
template <class T, class Body>
__attribute__((noinline)) void with_stack_row(Index columns, Body body) {
  auto* row = static_cast<accumulate_t<T>*>(__builtin_alloca_with_align(
      static_cast<std::size_t>(columns) * sizeof(accumulate_t<T>), 512));
  body(row);
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
