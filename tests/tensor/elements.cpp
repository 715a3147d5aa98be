#include "tests/tensor/elements.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/error.h"

namespace basis {

namespace {

// bf16 by its definition: of the two neighbours the nearer, at a tie the even one.
BFloat16 nearest_bf16(double value) {
  if (std::isnan(value)) return {0x7FC0};
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  auto magnitude = [](std::uint32_t bits) {
    const std::uint32_t wide = bits << 16;
    float f;
    std::memcpy(&f, &wide, sizeof f);
    return static_cast<double>(f);
  };
  // Magnitudes grow with their bits: find the largest that is not above |value|.
  std::uint32_t low = 0, high = 0x7F80;
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (magnitude(middle) <= std::fabs(value) ? low : high) = middle;
  }
  // Beyond the largest finite value the next step would be 2^128.
  const double above = high == 0x7F80 ? std::ldexp(1.0, 128) : magnitude(high);
  const double below_gap = std::fabs(value) - magnitude(low);
  const double above_gap = above - std::fabs(value);
  const bool takes_high = above_gap < below_gap || (above_gap == below_gap && low % 2 == 1);
  return {static_cast<std::uint16_t>(sign | (takes_high ? high : low))};
}

}  // namespace

double element(ConstMatrixView view, std::int64_t i, std::int64_t j) {
  const std::int64_t at = i * view.row_stride + j;
  switch (view.dtype) {
    case DType::F32:
      return static_cast<double>(view.as<float>()[at]);
    case DType::F64:
      return view.as<double>()[at];
    case DType::BF16: {
      const std::uint32_t wide = static_cast<std::uint32_t>(view.as<BFloat16>()[at].bits) << 16;
      float f;
      std::memcpy(&f, &wide, sizeof f);
      return static_cast<double>(f);
    }
    default:
      throw InternalError("element of a view that is not floating");
  }
}

void set_element(MatrixView view, std::int64_t i, std::int64_t j, double value) {
  const std::int64_t at = i * view.row_stride + j;
  switch (view.dtype) {
    case DType::F32:
      view.as<float>()[at] = static_cast<float>(value);
      return;
    case DType::F64:
      view.as<double>()[at] = value;
      return;
    case DType::BF16:
      view.as<BFloat16>()[at] = nearest_bf16(value);
      return;
    default:
      throw InternalError("element of a view that is not floating");
  }
}

}  // namespace basis
