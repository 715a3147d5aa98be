#pragma once

#include <cstddef>
#include <cstdint>

namespace basis {

/// Element types of a Tensor. BF16 is a storage type: sums over it are in F32.
/// F64 exists on the CPU, so that gradients are checked through the code that ships.
enum class DType : std::uint8_t { F32, BF16, F64, I32, U8 };

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::F32:
    case DType::I32:
      return 4;
    case DType::BF16:
      return 2;
    case DType::F64:
      return 8;
    case DType::U8:
      return 1;
  }
  return 0;
}

/// "f32", "bf16", "f64", "i32", "u8".
constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::F32:
      return "f32";
    case DType::BF16:
      return "bf16";
    case DType::F64:
      return "f64";
    case DType::I32:
      return "i32";
    case DType::U8:
      return "u8";
  }
  return "?";
}

/// The type that sums, norms and losses over `dtype` are kept in.
constexpr DType accumulation_dtype(DType dtype) {
  return dtype == DType::F64 ? DType::F64 : DType::F32;
}

/// A bf16 value as it is stored: the upper half of an f32.
struct BFloat16 {
  std::uint16_t bits;
};

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::F32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::F64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::BF16;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::I32;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::U8;
};

}  // namespace basis
