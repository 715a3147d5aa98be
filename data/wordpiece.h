#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace basis {

/// Token ids of a text or a pair with `[CLS]` and `[SEP]`; type 0 for the first text, 1 for the
/// second.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> type_ids;
};

/// As in Hugging Face's tokenizer_config.json, with its defaults.
struct WordPieceOptions {
  bool lowercase = true;
  std::optional<bool> strip_accents = std::nullopt;  // as `lowercase` where unset
  bool split_chinese = true;                         // each Chinese character is a word
  std::string unknown = "[UNK]";
  std::string cls = "[CLS]";
  std::string sep = "[SEP]";
  std::string pad = "[PAD]";
  std::string mask = "[MASK]";
  std::vector<std::string> more_special = {};  // further tokens that are recognised in the text
  std::int64_t max_characters_per_word = 100;  // 1 to 1000; a longer word is unknown
  std::int64_t model_max_length = 512;  // only kept for transformers, which cuts there when asked

  bool strips_accents() const { return strip_accents.value_or(lowercase); }
};

/// How many ids of each text stay when a pair is cut to `room` ids, longest first as in Hugging
/// Face's `tokenizers`: where both exceed half the room they share it, and the odd one goes to the
/// longer text, to the second where they are equal.
struct PairLengths {
  std::int64_t first;
  std::int64_t second;
};
PairLengths cut_longest_first(std::int64_t first, std::int64_t second, std::int64_t room);

/// The tokens of a vocab.txt, one a line, white space at a line's end dropped, as the loader of
/// `tokenizers` does.
std::vector<std::string> vocabulary_of(std::string_view text);

/// BERT's WordPiece (Devlin et al., arXiv 1810.04805), cased or not. Ids are those of Hugging
/// Face's fast BertTokenizer, which leads where it differs from Google's code: special tokens
/// written in a text are recognised. Any number of threads may share one.
class WordPieceTokenizer {
 public:
  /// From a folder with vocab.txt (or, as transformers 5 saves, tokenizer.json alone) and
  /// optionally tokenizer_config.json; without that the text is lower-cased, as there.
  /// Throws Error with the file and what is wrong in it.
  static WordPieceTokenizer load(const std::filesystem::path& folder);

  /// A token's id is its place. Of equal tokens the last one's id counts. An empty token and one
  /// that no word can spell are allowed and never produced.
  /// Throws Error, beginning with `source_name`, where the vocabulary is empty or lacks the
  /// unknown, cls or sep token or one of `more_special`, or is not UTF-8. Tokens for padding and
  /// masking may be missing until they are asked for.
  WordPieceTokenizer(std::vector<std::string> vocabulary, const WordPieceOptions& options,
                     const std::string& source_name = "vocabulary");

  WordPieceTokenizer(WordPieceTokenizer&&) noexcept;
  WordPieceTokenizer& operator=(WordPieceTokenizer&&) noexcept;
  ~WordPieceTokenizer();

  /// `[CLS] text [SEP]`, cut to `max_length` ids (at least 2).
  /// Throws Error with the byte where the text is not UTF-8.
  Encoding encode(std::string_view text, std::int64_t max_length) const;

  /// `[CLS] first [SEP] second [SEP]`, cut longest first to `max_length` ids (at least 3).
  Encoding encode_pair(std::string_view first, std::string_view second,
                       std::int64_t max_length) const;

  /// The same from ids that `tokenize` or `encode_all` gave.
  Encoding assemble(std::span<const std::int32_t> ids, std::int64_t max_length) const;
  Encoding assemble_pair(std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                         std::int64_t max_length) const;

  /// Appends the text's ids, without special tokens around them. Allocates for no single word.
  /// Throws Error where the text is not UTF-8; `ids` is then as before.
  void tokenize(std::string_view text, std::vector<std::int32_t>& ids) const;

  std::int64_t vocabulary_size() const;
  const std::vector<std::string>& vocabulary() const;
  const WordPieceOptions& options() const;

  std::optional<std::int32_t> id_of(std::string_view token) const;
  /// Throws Error where there is no such id.
  const std::string& token(std::int32_t id) const;

  std::int32_t unknown_id() const;
  std::int32_t cls_id() const;
  std::int32_t sep_id() const;
  /// These two throw Error where the vocabulary has no such token.
  std::int32_t pad_id() const;
  std::int32_t mask_id() const;

  /// Writes vocab.txt and tokenizer_config.json, which this class and transformers read to the same
  /// ids. Creates the folder. Throws Error where it cannot be written, or where a token cannot
  /// stand in a line (it holds a newline or ends in a space).
  void save(const std::filesystem::path& folder) const;

 private:
  struct Tables;

  std::unique_ptr<const Tables> tables_;
};

/// Ids of many texts in a row, without special tokens: text i has ids[offsets[i] .. offsets[i+1]).
struct EncodedTexts {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> offsets;  // one more than texts

  std::span<const std::int32_t> of(std::size_t text) const {
    return std::span(ids).subspan(static_cast<std::size_t>(offsets[text]),
                                  static_cast<std::size_t>(offsets[text + 1] - offsets[text]));
  }
};

/// Tokenizes on `threads` threads (0: OpenMP's choice); the result is the same for any number.
/// Throws Error "text 17: ..." (counted from 0) for the first text that is not UTF-8.
EncodedTexts encode_all(const WordPieceTokenizer& tokenizer,
                        std::span<const std::string_view> texts, int threads = 0);

}  // namespace basis
