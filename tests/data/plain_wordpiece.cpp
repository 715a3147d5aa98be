#include "tests/data/plain_wordpiece.h"

#include <algorithm>

#include "data/unicode.h"

namespace basis {
namespace {

std::u32string decode_all(std::string_view text) {
  std::u32string out;
  for (const char* p = text.data(); p < text.data() + text.size();) {
    const unicode::Decoded character = unicode::decode(p, text.data() + text.size());
    out += character.value;
    p += character.length;
  }
  return out;
}

std::string encode_all_of(std::u32string_view text) {
  std::string out;
  for (const char32_t value : text) {
    char bytes[4];
    out.append(bytes, static_cast<std::size_t>(unicode::encode(value, bytes)));
  }
  return out;
}

// NFD with its canonical order: every run of marks sorted by class.
std::u32string decompose_all(const std::u32string& text) {
  std::u32string out;
  for (const char32_t value : text) {
    const unicode::Decomposition parts = unicode::decompose(value);
    out.append(parts.value, static_cast<std::size_t>(parts.count));
  }
  const auto is_starter = [](char32_t value) { return unicode::combining_class(value) == 0; };
  for (auto begin = out.begin(); begin != out.end();) {
    begin = std::find_if_not(begin, out.end(), is_starter);
    const auto end = std::find_if(begin, out.end(), is_starter);
    std::stable_sort(begin, end, [](char32_t a, char32_t b) {
      return unicode::combining_class(a) < unicode::combining_class(b);
    });
    begin = end;
  }
  return out;
}

}  // namespace

PlainWordPiece::PlainWordPiece(const std::vector<std::string>& vocabulary, WordPieceOptions options)
    : options_(std::move(options)) {
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    ids_[vocabulary[i]] = static_cast<std::int32_t>(i);
  }
}

std::vector<std::int32_t> PlainWordPiece::tokenize(std::string_view text) const {
  std::vector<std::int32_t> ids;
  const auto add = [&](std::string_view part) {
    for (const std::u32string& word : words(decode_all(part))) cut(word, ids);
  };
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::string best;
    for (const auto& token :
         {options_.unknown, options_.cls, options_.sep, options_.pad, options_.mask}) {
      if (ids_.contains(token) && text.substr(i).starts_with(token) && token.size() > best.size()) {
        best = token;
      }
    }
    if (best.empty()) {
      ++i;
      continue;
    }
    add(text.substr(begin, i - begin));
    ids.push_back(ids_.at(best));
    begin = i += best.size();
  }
  add(text.substr(begin));
  return ids;
}

std::vector<std::u32string> PlainWordPiece::words(const std::u32string& text) const {
  std::u32string clean;
  for (const char32_t value : text) {
    if (unicode::is_removed(value)) continue;
    if (unicode::is_space(value)) {
      clean += U' ';
    } else if (options_.split_chinese && unicode::is_chinese(value)) {
      clean += {U' ', value, U' '};
    } else {
      clean += value;
    }
  }
  if (options_.strip_accents.value_or(options_.lowercase)) {
    clean = decompose_all(clean);
    std::erase_if(clean, unicode::is_stripped_mark);
  }
  std::vector<std::u32string> out(1);
  const auto add = [&](char32_t value) {
    if (value == U' ') {
      out.emplace_back();
    } else if (unicode::is_punctuation(value)) {
      out.emplace_back(1, value);
      out.emplace_back();
    } else {
      out.back() += value;
    }
  };
  for (const char32_t value : clean) {
    unicode::LowerCase lowered{{value}, 1};
    if (options_.lowercase) lowered = unicode::lower_case(value);
    for (int i = 0; i < lowered.count; ++i) add(lowered.value[i]);
  }
  std::erase_if(out, [](const std::u32string& word) { return word.empty(); });
  return out;
}

void PlainWordPiece::cut(const std::u32string& word, std::vector<std::int32_t>& ids) const {
  const std::int32_t unknown = ids_.at(options_.unknown);
  if (word.size() > static_cast<std::size_t>(options_.max_characters_per_word)) {
    ids.push_back(unknown);
    return;
  }
  std::vector<std::int32_t> pieces;
  for (std::size_t begin = 0; begin < word.size();) {
    std::size_t end = word.size();
    const auto piece = [&] {
      return (begin > 0 ? "##" : "") + encode_all_of(word.substr(begin, end - begin));
    };
    while (end > begin && !ids_.contains(piece())) --end;
    if (end == begin) {
      ids.push_back(unknown);
      return;
    }
    pieces.push_back(ids_.at(piece()));
    begin = end;
  }
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

}  // namespace basis
