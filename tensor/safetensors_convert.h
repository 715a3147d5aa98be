#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

// Element types of a file as those of a Tensor. Not installed.
namespace basis::detail {

/// What a file may hold that a Tensor can be made of.
enum class StoredType { F32, F16, BF16, F64, I64, I32, U8 };

/// "F16" and so on; none for the format's other types.
std::optional<StoredType> stored_type(std::string_view name);

/// Bits of one element of any type that the format knows; 0 for an unknown name.
int stored_bits(std::string_view name);

/// The Tensor type that holds every value of `stored` (F16: F32), or I32 for I64.
DType natural_dtype(StoredType stored);
/// Whether the bytes are already those of `dtype`.
bool is_same(StoredType stored, DType dtype);
/// All but floats to integers.
bool can_convert(StoredType stored, DType wanted);

/// Converts `count` elements; `from` may be unaligned, `to` is aligned for `wanted`. Returns the
/// index of the first integer that `wanted` does not hold, else none.
std::optional<std::size_t> convert(StoredType stored, const std::byte* from, std::size_t count,
                                   DType wanted, std::byte* to);

/// Exact, subnormals, infinities and NaN payloads included.
float float_from_half(std::uint16_t bits);
float float_from_bfloat16(BFloat16 value);
/// Round to nearest even; NaN stays NaN.
BFloat16 bfloat16_from_float(float value);
/// Rounds once: not by way of a rounded float.
BFloat16 bfloat16_from_double(double value);

}  // namespace basis::detail
