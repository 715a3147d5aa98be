#include "data/wordpiece.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/unicode.h"
#include "data/wordpiece_pass.h"
#include "data/wordpiece_pieces.h"
#include "data/wordpiece_special.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t max_word_limit = 1000;

/// Collects ids in a small buffer, so that the vector is asked to grow once in many words.
class IdBuffer {
 public:
  explicit IdBuffer(std::vector<std::int32_t>& ids) : ids_(ids) {}

  void push(std::int32_t id) {
    if (size_ == buffer_.size()) flush();
    buffer_[size_++] = id;
  }

  /// Where the next `max_word_limit` ids can be written; `advance` says how many were.
  std::int32_t* room() {
    if (buffer_.size() - size_ < max_word_limit) flush();
    return buffer_.data() + size_;
  }
  void advance(std::size_t count) { size_ += count; }

  void flush() {
    ids_.insert(ids_.end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ = 0;
  }

 private:
  std::vector<std::int32_t>& ids_;
  std::size_t size_ = 0;
  std::array<std::int32_t, 2 * max_word_limit> buffer_;
};

void check_options(const WordPieceOptions& options, const std::string& source_name) {
  const std::int64_t limit = options.max_characters_per_word;
  if (limit < 1 || limit > max_word_limit) {
    throw Error(fmt::format("{}: max_characters_per_word is {}, expected 1 to {}", source_name,
                            limit, max_word_limit));
  }
}

void check_vocabulary(const std::vector<std::string>& vocabulary, const std::string& source_name) {
  if (vocabulary.empty()) throw Error(fmt::format("{}: the vocabulary is empty", source_name));
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    if (const auto place = unicode::find_invalid(vocabulary[i])) {
      throw Error(fmt::format("{}:{}: the token is not UTF-8: invalid at byte {} (counted from 0)",
                              source_name, i + 1, *place));
    }
  }
}

}  // namespace

struct WordPieceTokenizer::Tables {
  Tables(std::vector<std::string> tokens, const WordPieceOptions& chosen,
         const std::string& source_name);

  std::optional<std::int32_t> id_of(std::string_view token) const {
    const auto found = ids.find(token);
    if (found == ids.end()) return std::nullopt;
    return found->second;
  }

  std::string source;  // of the vocabulary, for messages
  std::vector<std::string> vocabulary;
  WordPieceOptions options;
  std::unordered_map<std::string_view, std::int32_t> ids;  // views into vocabulary
  std::int32_t unknown = -1;
  std::int32_t cls = -1;
  std::int32_t sep = -1;
  SpecialTokens special;
  WordSplitter splitter;
  WordTable words;
  PieceTrie pieces;
  std::array<std::int32_t, 128> punctuation;  // ids of ASCII symbols
};

WordPieceTokenizer::Tables::Tables(std::vector<std::string> tokens, const WordPieceOptions& chosen,
                                   const std::string& source_name)
    : source(source_name),
      vocabulary((check_vocabulary(tokens, source_name), std::move(tokens))),
      options((check_options(chosen, source_name), chosen)),
      splitter(options.lowercase, options.strips_accents(), options.split_chinese),
      words(vocabulary.size()),
      pieces(vocabulary, static_cast<std::size_t>(4 * options.max_characters_per_word)) {
  ids.reserve(vocabulary.size());
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const std::string& token = vocabulary[i];
    const auto id = static_cast<std::int32_t>(i);
    ids.insert_or_assign(token, id);
    // A word never holds a zero byte, and no key of a word may look like one that does.
    const bool is_word =
        !token.empty() && !token.starts_with("##") && token.find('\0') == std::string::npos;
    if (is_word && token.size() <= WordTable::max_bytes) words.insert(key_of(token), id);
  }
  std::vector<std::string> missing;
  const auto need = [&](const std::string& token) {
    const auto id = id_of(token);
    if (!id) missing.push_back(token);
    return id.value_or(-1);
  };
  unknown = need(options.unknown);
  cls = need(options.cls);
  sep = need(options.sep);
  for (const std::string& token : options.more_special) special.add(token, need(token));
  if (!missing.empty()) {
    throw Error(fmt::format(
        "{}: the vocabulary of {} tokens lacks {}; is it a BERT vocabulary, one token a line?",
        source_name, vocabulary.size(), fmt::join(missing, ", ")));
  }
  for (const std::string& token :
       {options.unknown, options.cls, options.sep, options.pad, options.mask}) {
    if (const auto id = id_of(token)) special.add(token, *id);
  }
  for (char c = 0; c >= 0 && c < 127; ++c) {
    punctuation[static_cast<std::size_t>(c)] = id_of({&c, 1}).value_or(unknown);
  }
  punctuation[127] = unknown;
}

namespace {

/// Turns words into ids.
struct IdSink {
  const WordTable& words;
  const PieceTrie& pieces;
  const std::array<std::int32_t, 128>& symbols;
  std::int32_t unknown;
  std::size_t max_characters;
  IdBuffer& out;

  void short_word(const WordKey& key, int length) {
    const auto characters = static_cast<std::size_t>(length);
    if (characters > max_characters) return out.push(unknown);
    const std::int32_t id = words.find(key);
    if (id >= 0) return out.push(id);
    const std::array<char, 16> bytes = bytes_of(key);
    cut({bytes.data(), characters});
  }

  void punctuation(char symbol) { out.push(symbols[static_cast<unsigned char>(symbol)]); }

  void word(std::string_view bytes, std::size_t characters) {
    if (characters > max_characters) return out.push(unknown);
    cut(bytes);
  }

  void cut(std::string_view word) {
    const std::size_t count = pieces.cut(word, out.room());
    if (count == 0) return out.push(unknown);
    out.advance(count);
  }
};

void check_max_length(std::int64_t max_length, std::int64_t least) {
  if (max_length >= least) return;
  throw Error(fmt::format("tokenizer: max_length is {}, but the special tokens alone are {}",
                          max_length, least));
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(std::vector<std::string> vocabulary,
                                       const WordPieceOptions& options,
                                       const std::string& source_name)
    : tables_(std::make_unique<const Tables>(std::move(vocabulary), options, source_name)) {}

WordPieceTokenizer::WordPieceTokenizer(WordPieceTokenizer&&) noexcept = default;
WordPieceTokenizer& WordPieceTokenizer::operator=(WordPieceTokenizer&&) noexcept = default;
WordPieceTokenizer::~WordPieceTokenizer() = default;

void WordPieceTokenizer::tokenize(std::string_view text, std::vector<std::int32_t>& ids) const {
  const std::size_t before = ids.size();
  IdBuffer out(ids);
  IdSink sink{tables_->words,
              tables_->pieces,
              tables_->punctuation,
              tables_->unknown,
              static_cast<std::size_t>(tables_->options.max_characters_per_word),
              out};
  try {
    for (std::size_t from = 0; from < text.size();) {
      const SpecialTokens::Match match = tables_->special.find(text, from);
      tables_->splitter.split(text.substr(from, match.begin - from), from, sink);
      if (match.id >= 0) out.push(match.id);
      from = match.end;
    }
  } catch (...) {
    ids.resize(before);
    throw;
  }
  out.flush();
}

Encoding WordPieceTokenizer::encode(std::string_view text, std::int64_t max_length) const {
  std::vector<std::int32_t> ids;
  tokenize(text, ids);
  return assemble(ids, max_length);
}

Encoding WordPieceTokenizer::encode_pair(std::string_view first, std::string_view second,
                                         std::int64_t max_length) const {
  std::vector<std::int32_t> first_ids;
  std::vector<std::int32_t> second_ids;
  tokenize(first, first_ids);
  tokenize(second, second_ids);
  return assemble_pair(first_ids, second_ids, max_length);
}

Encoding WordPieceTokenizer::assemble(std::span<const std::int32_t> ids,
                                      std::int64_t max_length) const {
  check_max_length(max_length, 2);
  const auto kept = ids.first(std::min(ids.size(), static_cast<std::size_t>(max_length - 2)));
  Encoding encoding;
  encoding.ids.reserve(kept.size() + 2);
  encoding.ids.push_back(cls_id());
  encoding.ids.insert(encoding.ids.end(), kept.begin(), kept.end());
  encoding.ids.push_back(sep_id());
  encoding.type_ids.assign(encoding.ids.size(), 0);
  return encoding;
}

Encoding WordPieceTokenizer::assemble_pair(std::span<const std::int32_t> first,
                                           std::span<const std::int32_t> second,
                                           std::int64_t max_length) const {
  check_max_length(max_length, 3);
  const PairLengths kept = cut_longest_first(std::ssize(first), std::ssize(second), max_length - 3);
  first = first.first(static_cast<std::size_t>(kept.first));
  second = second.first(static_cast<std::size_t>(kept.second));
  Encoding encoding;
  encoding.ids.reserve(first.size() + second.size() + 3);
  encoding.ids.push_back(cls_id());
  encoding.ids.insert(encoding.ids.end(), first.begin(), first.end());
  encoding.ids.push_back(sep_id());
  encoding.type_ids.assign(encoding.ids.size(), 0);
  encoding.ids.insert(encoding.ids.end(), second.begin(), second.end());
  encoding.ids.push_back(sep_id());
  encoding.type_ids.resize(encoding.ids.size(), 1);
  return encoding;
}

PairLengths cut_longest_first(std::int64_t first, std::int64_t second, std::int64_t room) {
  if (first + second <= room) return {first, second};
  const bool is_first_longer = first > second;
  std::int64_t shorter = std::min(first, second);
  std::int64_t longer = std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return is_first_longer ? PairLengths{longer, shorter} : PairLengths{shorter, longer};
}

std::int64_t WordPieceTokenizer::vocabulary_size() const {
  return std::ssize(vocabulary());
}

const std::vector<std::string>& WordPieceTokenizer::vocabulary() const {
  return tables_->vocabulary;
}

const WordPieceOptions& WordPieceTokenizer::options() const {
  return tables_->options;
}

std::optional<std::int32_t> WordPieceTokenizer::id_of(std::string_view token) const {
  return tables_->id_of(token);
}

const std::string& WordPieceTokenizer::token(std::int32_t id) const {
  if (id < 0 || id >= vocabulary_size()) {
    throw Error(fmt::format("tokenizer: there is no id {}; the vocabulary has {} tokens", id,
                            vocabulary_size()));
  }
  return vocabulary()[static_cast<std::size_t>(id)];
}

std::int32_t WordPieceTokenizer::unknown_id() const {
  return tables_->unknown;
}
std::int32_t WordPieceTokenizer::cls_id() const {
  return tables_->cls;
}
std::int32_t WordPieceTokenizer::sep_id() const {
  return tables_->sep;
}

std::int32_t WordPieceTokenizer::pad_id() const {
  if (const auto id = id_of(options().pad)) return *id;
  throw Error(fmt::format("{}: the vocabulary has no token \"{}\" for padding", tables_->source,
                          options().pad));
}

std::int32_t WordPieceTokenizer::mask_id() const {
  if (const auto id = id_of(options().mask)) return *id;
  throw Error(fmt::format("{}: the vocabulary has no token \"{}\" for masking", tables_->source,
                          options().mask));
}

}  // namespace basis
