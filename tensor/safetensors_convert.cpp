#include "tensor/safetensors_convert.h"

#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <type_traits>

#include "tensor/error.h"

namespace basis::detail {
namespace {

struct FormatType {
  std::string_view name;
  int bits;
  std::optional<StoredType> type;
};

constexpr std::array<FormatType, 20> format_types{{
    {"F32", 32, StoredType::F32},
    {"F16", 16, StoredType::F16},
    {"BF16", 16, StoredType::BF16},
    {"F64", 64, StoredType::F64},
    {"I64", 64, StoredType::I64},
    {"I32", 32, StoredType::I32},
    {"U8", 8, StoredType::U8},
    {"BOOL", 8, {}},
    {"I8", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"U32", 32, {}},
    {"U64", 64, {}},
    {"C64", 64, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"F4", 4, {}},
}};

const FormatType* find_type(std::string_view name) {
  for (const FormatType& type : format_types) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

/// An F16 value as it is stored.
struct Half {
  std::uint16_t bits;
};

// A value as the arithmetic type that holds it exactly.
float widened(Half value) {
  return float_from_half(value.bits);
}
float widened(BFloat16 value) {
  return float_from_bfloat16(value);
}
template <class T>
T widened(T value) {
  return value;
}

/// False when an integer does not fit.
template <class To, class From>
bool assign(From value, To& to) {
  if constexpr (std::is_same_v<To, BFloat16>) {
    if constexpr (std::is_same_v<From, float>) {
      to = bfloat16_from_float(value);
    } else {
      to = bfloat16_from_double(static_cast<double>(value));
    }
    return true;
  } else if constexpr (std::integral<To> && std::integral<From>) {
    to = static_cast<To>(value);
    return std::int64_t{value} >= std::numeric_limits<To>::min() &&
           std::int64_t{value} <= std::numeric_limits<To>::max();
  } else {
    to = static_cast<To>(value);
    return true;
  }
}

template <class Stored, class To>
std::optional<std::size_t> convert_all(const std::byte* from, std::size_t count, std::byte* to) {
  if constexpr (std::integral<To> && !std::integral<Stored>) {
    throw InternalError("convert: floats to integers");
  } else {
    To* result = reinterpret_cast<To*>(to);
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
      if (!assign(widened(value), result[i])) return i;
    }
    return std::nullopt;
  }
}

template <class Stored>
std::optional<std::size_t> convert_from(const std::byte* from, std::size_t count, DType wanted,
                                        std::byte* to) {
  switch (wanted) {
    case DType::F32:
      return convert_all<Stored, float>(from, count, to);
    case DType::BF16:
      return convert_all<Stored, BFloat16>(from, count, to);
    case DType::F64:
      return convert_all<Stored, double>(from, count, to);
    case DType::I32:
      return convert_all<Stored, std::int32_t>(from, count, to);
    case DType::U8:
      return convert_all<Stored, std::uint8_t>(from, count, to);
  }
  throw InternalError("convert: a dtype");
}

}  // namespace

std::optional<StoredType> stored_type(std::string_view name) {
  const FormatType* type = find_type(name);
  return type == nullptr ? std::nullopt : type->type;
}

int stored_bits(std::string_view name) {
  const FormatType* type = find_type(name);
  return type == nullptr ? 0 : type->bits;
}

DType natural_dtype(StoredType stored) {
  switch (stored) {
    case StoredType::F32:
    case StoredType::F16:
      return DType::F32;
    case StoredType::BF16:
      return DType::BF16;
    case StoredType::F64:
      return DType::F64;
    case StoredType::I64:
    case StoredType::I32:
      return DType::I32;
    case StoredType::U8:
      return DType::U8;
  }
  throw InternalError("natural_dtype: a stored type");
}

bool is_same(StoredType stored, DType dtype) {
  return stored != StoredType::F16 && stored != StoredType::I64 && natural_dtype(stored) == dtype;
}

bool can_convert(StoredType stored, DType wanted) {
  const bool to_integer = wanted == DType::I32 || wanted == DType::U8;
  const bool from_integer =
      stored == StoredType::I64 || stored == StoredType::I32 || stored == StoredType::U8;
  return from_integer || !to_integer;
}

std::optional<std::size_t> convert(StoredType stored, const std::byte* from, std::size_t count,
                                   DType wanted, std::byte* to) {
  if (is_same(stored, wanted)) {
    if (count > 0) std::memcpy(to, from, count * size_of(wanted));
    return std::nullopt;
  }
  switch (stored) {
    case StoredType::F32:
      return convert_from<float>(from, count, wanted, to);
    case StoredType::F16:
      return convert_from<Half>(from, count, wanted, to);
    case StoredType::BF16:
      return convert_from<BFloat16>(from, count, wanted, to);
    case StoredType::F64:
      return convert_from<double>(from, count, wanted, to);
    case StoredType::I64:
      return convert_from<std::int64_t>(from, count, wanted, to);
    case StoredType::I32:
      return convert_from<std::int32_t>(from, count, wanted, to);
    case StoredType::U8:
      return convert_from<std::uint8_t>(from, count, wanted, to);
  }
  throw InternalError("convert: a stored type");
}

float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {  // zero and subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

float float_from_bfloat16(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

BFloat16 bfloat16_from_float(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};  // quiet
  // Half of the last kept place, less one when that place is even: ties go to even.
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
}

BFloat16 bfloat16_from_double(double value) {
  // Rounded to odd, an inexact float never looks like a tie to the second rounding.
  const float nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value) {
    return bfloat16_from_float(nearest);
  }
  std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(value)) --bits;
  return bfloat16_from_float(std::bit_cast<float>(bits | 1u));
}

}  // namespace basis::detail
