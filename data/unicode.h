#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// Characters as Hugging Face's `tokenizers` library sees them. Its crates hold tables of different
/// Unicode versions, so membership comes from data/unicode_tables.h and not from utf8proc, which
/// serves where Unicode promises never to change: decompositions, combining classes, case pairs.
namespace basis::unicode {

/// The character at the start of a text. Length 0: what stands there is not UTF-8.
struct Decoded {
  char32_t value;
  int length;  // bytes, 1 to 4
};

/// Strict (RFC 3629): no surrogates, no overlong forms. The text must not be empty.
Decoded decode(const char* begin, const char* end);

/// Bytes written to `out`, 1 to 4.
int encode(char32_t value, char* out);

/// Place of the first byte that is not part of valid UTF-8; none where the text is valid.
std::optional<std::size_t> find_invalid(std::string_view text);

/// Dropped from every text: control and format characters, private use, U+FFFD.
bool is_removed(char32_t value);
bool is_space(char32_t value);
/// Words of their own: Unicode's P categories and every ASCII symbol.
bool is_punctuation(char32_t value);
/// The CJK blocks of the original BERT, in the library's edition (its last block begins at 2B920).
bool is_chinese(char32_t value);
/// Nonspacing marks (Mn).
bool is_stripped_mark(char32_t value);

/// One character where it is lower case, without regard to its neighbours: a sigma at the end of
/// a word is an ordinary one. U+0130 becomes two: i and U+0307.
struct LowerCase {
  char32_t value[2];
  int count;
};
LowerCase lower_case(char32_t value);

/// Full canonical decomposition (NFD) of one character, not reordered.
struct Decomposition {
  char32_t value[8];
  int count;
};
Decomposition decompose(char32_t value);

/// Canonical combining class; 0 for a starter.
std::uint8_t combining_class(char32_t value);

}  // namespace basis::unicode
