#pragma once

#include <cstdint>

/// Numbers of the places where a model draws random numbers; part of every mask's counter.
namespace basis::dropout_sites {

inline constexpr std::uint32_t embeddings = 1;
inline constexpr std::uint32_t head = 2;
constexpr std::uint32_t attention(std::int64_t layer) {
  return 16 + 16 * static_cast<std::uint32_t>(layer);
}
constexpr std::uint32_t attention_output(std::int64_t layer) {
  return attention(layer) + 1;
}
constexpr std::uint32_t ffn_output(std::int64_t layer) {
  return attention(layer) + 2;
}
/// `kind` 0 to 5: the adapter on one of the layer's six matrices.
constexpr std::uint32_t adapter(std::int64_t layer, std::uint32_t kind) {
  return attention(layer) + 4 + kind;
}

}  // namespace basis::dropout_sites
