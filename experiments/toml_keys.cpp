#include "experiments/toml_keys.h"

#include <algorithm>

namespace basis {
namespace {

/// Where the string that begins at `begin` ends: behind its closing quotes, or at the end of the
/// line or of the text where it has none.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const bool has_escapes = quote == '"';
  const std::string_view triple = has_escapes ? R"(""")" : "'''";
  const bool has_lines = text.substr(begin, 3) == triple;
  for (std::size_t i = begin + (has_lines ? 3 : 1); i < text.size(); ++i) {
    if (has_escapes && text[i] == '\\') {
      ++i;
    } else if (has_lines ? text.substr(i, 3) == triple : text[i] == quote) {
      return i + (has_lines ? 3 : 1);
    } else if (!has_lines && text[i] == '\n') {
      return i;
    }
  }
  return text.size();
}

}  // namespace

std::optional<std::int64_t> find_endless_key(std::string_view text) {
  int parts = 1;
  for (std::size_t i = 0; i < text.size();) {
    const char letter = text[i];
    if (letter == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (letter == '"' || letter == '\'') {
      i = end_of_string(text, i);
    } else {
      if (letter == '.') ++parts;
      if (std::string_view("=,[]{}\n").find(letter) != std::string_view::npos) parts = 1;
      if (parts > most_key_parts) {
        return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i), '\n');
      }
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace basis
