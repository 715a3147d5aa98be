#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace basis {

/// A safetensors file: the length of `header`, the header, then so many zero bytes of data.
inline std::string safetensors_text(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string text(sizeof length, '\0');
  std::memcpy(text.data(), &length, sizeof length);
  return text + header + std::string(data_bytes, '\0');
}

}  // namespace basis
