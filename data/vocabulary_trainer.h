#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/wordpiece.h"
#include "data/wordpiece_splitter.h"

namespace basis {

struct TrainedVocabulary {
  /// [PAD] [UNK] [CLS] [SEP] [MASK], the characters in order of their code points, each as a word's
  /// beginning and as a later piece ("##c") where the text has it so, then the merges in their
  /// order. Fewer than asked where no pair of pieces is left that stands twice.
  std::vector<std::string> tokens;
  std::int64_t words = 0;      // of the text
  double pieces_per_word = 0;  // words with a character that is left out count as one
};

/// Learns a WordPiece vocabulary from text: words as BERT cuts them, then the most frequent pair of
/// neighbouring pieces becomes a piece, again and again. It is byte-pair encoding (Sennrich et al.,
/// arXiv 1508.07909) on pieces with "##", which is what WordPieceTrainer of Hugging Face's
/// `tokenizers` does; Google's trainer was never published. The same text gives the same
/// vocabulary: of pairs that are equally frequent the one of the earlier pieces goes first.
class VocabularyTrainer {
 public:
  /// The most frequent characters that make up this share of the text are pieces; rarer ones,
  /// letters of other scripts mostly, are left out, as are the words that have them.
  static constexpr double character_coverage = 0.9999;

  /// Of the tokenizer that is to read it: its case, its special tokens, its longest word, beyond
  /// which words are left out.
  explicit VocabularyTrainer(const WordPieceOptions& options = {});

  /// Counts a text's words. Throws Error where it is not UTF-8.
  void add(std::string_view text);

  std::int64_t different_words() const { return static_cast<std::int64_t>(counts_.size()); }

  /// Told how many tokens there are now and then.
  using Observer = std::function<void(std::int64_t tokens)>;
  /// At most `size` tokens. Throws Error where they cannot hold the special tokens and characters,
  /// or where no text was added.
  TrainedVocabulary train(std::int64_t size, const Observer& observer = nullptr) const;

 private:
  struct HashOfText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Counter;

  WordPieceOptions options_;
  WordSplitter splitter_;
  std::unordered_map<std::string, std::int64_t, HashOfText, std::equal_to<>> counts_;
};

}  // namespace basis
