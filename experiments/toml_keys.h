#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace basis {

/// Parts that a dotted key of TOML may have here; ours have three at most.
inline constexpr int most_key_parts = 16;

/// The first line, from 1, with a key of more parts: a parser that takes `a.a.a...` as tables
/// within tables would run out of stack. Knows strings and comments; of text that is not TOML it
/// may find any line.
std::optional<std::int64_t> find_endless_key(std::string_view text);

}  // namespace basis
