#include "data/unicode.h"

#include <algorithm>
#include <iterator>

#include <utf8proc.h>

#include "data/unicode_tables.h"
#include "tensor/error.h"

namespace basis::unicode {
namespace {

using unicode_tables::CodePointRange;
using unicode_tables::ValuedRange;

template <class Range, std::size_t Count>
const Range* find_range(const Range (&ranges)[Count], char32_t value) {
  const auto* range = std::lower_bound(std::begin(ranges), std::end(ranges), value,
                                       [](const Range& r, char32_t v) { return r.last < v; });
  return range != std::end(ranges) && range->first <= value ? range : nullptr;
}

// Decompositions that came after the library's table (Unicode 12): one of Unicode 13, and those of
// Unicode 16, which a newer utf8proc knows.
constexpr CodePointRange kYoungDecompositions[] = {
    {0x105c9, 0x105c9}, {0x105e4, 0x105e4}, {0x11383, 0x11385}, {0x1138e, 0x11391},
    {0x113c5, 0x113c8}, {0x11938, 0x11938}, {0x16121, 0x16128}, {0x16d68, 0x16d6a},
};

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

Decoded decode(const char* begin, const char* end) {
  const auto lead = static_cast<unsigned char>(*begin);
  if (lead < 0x80) return {lead, 1};
  const int length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || end - begin < length) return {0, 0};
  char32_t value = lead & (0xFFu >> (length + 1));
  for (int i = 1; i < length; ++i) {
    if (!is_continuation(begin[i])) return {0, 0};
    value = (value << 6) | (static_cast<unsigned char>(begin[i]) & 0x3Fu);
  }
  const bool is_overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xD800 && value < 0xE000;
  if (is_overlong || is_surrogate || value > 0x10FFFF) return {0, 0};
  return {value, length};
}

int encode(char32_t value, char* out) {
  if (value < 0x80) {
    out[0] = static_cast<char>(value);
    return 1;
  }
  const int length = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
  for (int i = length - 1; i > 0; --i) {
    out[i] = static_cast<char>(0x80 | (value & 0x3F));
    value >>= 6;
  }
  const unsigned marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
  out[0] = static_cast<char>(marks[length] | value);
  return length;
}

std::optional<std::size_t> find_invalid(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const Decoded character = decode(p, end);
    if (character.length == 0) return static_cast<std::size_t>(p - text.data());
    p += character.length;
  }
  return std::nullopt;
}

bool is_removed(char32_t value) {
  return find_range(unicode_tables::kRemoved, value) != nullptr;
}

bool is_space(char32_t value) {
  return find_range(unicode_tables::kSpaces, value) != nullptr;
}

bool is_punctuation(char32_t value) {
  if (value < 0x80) {
    const bool is_letter = (value | 0x20) >= 'a' && (value | 0x20) <= 'z';
    return value > ' ' && value < 0x7F && !is_letter && !(value >= '0' && value <= '9');
  }
  return find_range(unicode_tables::kPunctuation, value) != nullptr;
}

bool is_chinese(char32_t value) {
  static constexpr CodePointRange blocks[] = {
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
      {0x2A700, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
  };
  return find_range(blocks, value) != nullptr;
}

bool is_stripped_mark(char32_t value) {
  return find_range(unicode_tables::kStrippedMarks, value) != nullptr;
}

LowerCase lower_case(char32_t value) {
  if (value == 0x130) return {{'i', 0x307}, 2};
  if (const ValuedRange* pair = find_range(unicode_tables::kYoungCasePairs, value)) {
    return {{static_cast<char32_t>(static_cast<std::int32_t>(value) + pair->value), 0}, 1};
  }
  return {{static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(value))), 0}, 1};
}

Decomposition decompose(char32_t value) {
  Decomposition result{{value}, 1};
  if (value < 0xC0 || find_range(kYoungDecompositions, value) != nullptr) return result;
  utf8proc_int32_t parts[std::size(Decomposition{}.value)];
  int boundary_class = 0;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(value), parts, std::ssize(parts),
                              UTF8PROC_DECOMPOSE, &boundary_class);
  ensure(count > 0 && count <= std::ssize(parts), "a character decomposes into at most 8");
  std::copy(parts, parts + count, result.value);
  result.count = static_cast<int>(count);
  return result;
}

std::uint8_t combining_class(char32_t value) {
  if (const ValuedRange* kept = find_range(unicode_tables::kKeptMarks, value)) {
    return static_cast<std::uint8_t>(kept->value);
  }
  // All others that the library gives a class are nonspacing marks; the rest is younger than it.
  if (!is_stripped_mark(value)) return 0;
  return static_cast<std::uint8_t>(
      utf8proc_get_property(static_cast<utf8proc_int32_t>(value))->combining_class);
}

}  // namespace basis::unicode
