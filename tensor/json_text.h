#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

// For .cpp files only; not installed.
namespace basis {

/// Deepest nesting of objects and arrays that parse_json takes.
inline constexpr int max_json_depth = 64;

/// Parses JSON (RFC 8259) from a user's file. Refuses duplicate keys, invalid UTF-8, nesting deeper
/// than max_json_depth, and anything after the value.
/// Throws Error: "config.json:14: ..." with `source_name` and the line.
nlohmann::json parse_json(std::string_view text, const std::string& source_name);

}  // namespace basis
