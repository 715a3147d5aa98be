#include "data/wordpiece_splitter.h"

#include <fmt/format.h>

#include "data/unicode.h"
#include "tensor/error.h"

namespace basis {

WordSplitter::WordSplitter(bool lowercase, bool strip_accents, bool split_chinese)
    : lowercase_(lowercase), strip_accents_(strip_accents), split_chinese_(split_chinese) {
  forms_.reserve(form_count);
  for (char32_t value = 0; value < form_count; ++value) forms_.push_back(form_of(value));
  byte_kinds_.fill(Kind::General);
  for (std::size_t byte = 0; byte < 0x80; ++byte) byte_kinds_[byte] = forms_[byte].kind;
}

WordSplitter::Form WordSplitter::form_of(char32_t value) const {
  if (unicode::is_removed(value)) return {Kind::Removed};
  if (unicode::is_space(value)) return {Kind::Space};
  unicode::Decomposition parts{{value}, 1};
  if (strip_accents_) parts = unicode::decompose(value);
  char bytes[sizeof parts.value + 4];  // at most 2 lower-case characters for each part
  int size = 0;
  int characters = 0;
  bool has_punctuation = split_chinese_ && unicode::is_chinese(value);
  for (int i = 0; i < parts.count; ++i) {
    const char32_t part = parts.value[i];
    const std::uint8_t combining_class = strip_accents_ ? unicode::combining_class(part) : 0;
    if (strip_accents_ && unicode::is_stripped_mark(part)) {
      if (i == 0 && combining_class == 0) return {};
      continue;
    }
    if (combining_class != 0) return {};
    unicode::LowerCase lowered{{part}, 1};
    if (lowercase_) lowered = unicode::lower_case(part);
    for (int k = 0; k < lowered.count; ++k, ++characters) {
      has_punctuation = has_punctuation || unicode::is_punctuation(lowered.value[k]);
      if (size + 4 > static_cast<int>(sizeof bytes)) return {};
      size += unicode::encode(lowered.value[k], bytes + size);
    }
  }
  if (characters == 0) return {Kind::Removed};
  Form form;
  if (size > static_cast<int>(sizeof form.bytes) || (has_punctuation && characters > 1)) return {};
  form.kind = has_punctuation ? Kind::Isolated : Kind::Letter;
  form.size = static_cast<std::uint8_t>(size);
  form.characters = static_cast<std::uint8_t>(characters);
  std::memcpy(form.bytes, bytes, form.size);
  return form;
}

void WordSplitter::refuse(std::size_t offset) {
  throw Error(fmt::format("the text is not UTF-8: invalid at byte {} (counted from 0)", offset));
}

}  // namespace basis
