#include "data/vocabulary_trainer.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> trained(std::int64_t size, const std::vector<std::string>& texts) {
  VocabularyTrainer trainer;
  for (const std::string& text : texts) trainer.add(text);
  return trainer.train(size).tokens;
}

TEST(VocabularyTrainer, MergesTheMostFrequentPairFirst) {
  // Pairs: a ##b 5, ##b ##c 3 (twice in one word), ##c ##b 1 or less.
  EXPECT_THAT(trained(12, {"ab ab ABC.", "abc\u0301 abcbc"}),
              ElementsAre("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "a", "##b", "##c",
                          "ab", "abc"));
}

TEST(VocabularyTrainer, EqualPairsGoInOrderOfTheirPieces) {
  // Both stand twice; "x" comes before "z" in the alphabet.
  EXPECT_THAT(trained(10, {"zw xy", "xy zw"}), ElementsAre("[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                                           "[MASK]", "x", "z", "##w", "##y", "xy"));
}

TEST(VocabularyTrainer, TheOrderOfTheTextDoesNotMatter) {
  std::vector<std::string> words;
  RandomStream random(1, 1);
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (std::uint64_t n = 1 + random.below(7); n > 0; --n) {
      word += static_cast<char>('a' + random.below(1 + random.below(6)));
    }
    words.push_back(word);
  }
  const std::vector<std::string> forwards = trained(200, words);
  std::reverse(words.begin(), words.end());
  EXPECT_EQ(forwards, trained(200, words));
  EXPECT_EQ(forwards.size(), 200u);
}

/// Byte-pair encoding as it is defined: everything counted anew before each merge.
std::vector<std::string> slowly(std::size_t size, const std::vector<std::string>& words,
                                std::vector<std::string> tokens) {
  std::map<std::string, int> counts;
  for (const std::string& word : words) ++counts[word];
  std::vector<std::pair<std::vector<std::string>, int>> rows;
  for (const auto& [word, count] : counts) {
    std::vector<std::string> pieces;
    for (const char c : word) pieces.push_back((pieces.empty() ? "" : "##") + std::string(1, c));
    rows.emplace_back(pieces, count);
  }
  const auto place = [&](const std::string& token) {
    return std::find(tokens.begin(), tokens.end(), token) - tokens.begin();
  };
  while (tokens.size() < size) {
    std::map<std::pair<std::int64_t, std::int64_t>, int> pairs;
    for (const auto& [pieces, count] : rows) {
      for (std::size_t i = 1; i < pieces.size(); ++i) {
        pairs[{place(pieces[i - 1]), place(pieces[i])}] += count;
      }
    }
    const auto best =
        std::max_element(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) {
          return a.second < b.second;  // the first of equals
        });
    if (best == pairs.end() || best->second < 2) break;
    const std::string left = tokens[static_cast<std::size_t>(best->first.first)];
    const std::string right = tokens[static_cast<std::size_t>(best->first.second)];
    const std::string merged = left + right.substr(2);
    if (place(merged) == static_cast<std::int64_t>(tokens.size())) tokens.push_back(merged);
    for (auto& [pieces, count] : rows) {
      for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
        if (pieces[i] != left || pieces[i + 1] != right) continue;
        pieces[i] = merged;
        pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return tokens;
}

TEST(VocabularyTrainer, IsBytePairEncodingByItsDefinition) {
  RandomStream random(2, 2);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> words;
    for (int i = 0; i < 200; ++i) {
      std::string word;
      for (std::uint64_t n = 1 + random.below(9); n > 0; --n) {
        word += static_cast<char>('a' + random.below(1 + random.below(4)));
      }
      words.push_back(word);
    }
    std::vector<std::string> alphabet = trained(1000, {words.begin(), words.end()});
    const auto is_merge = [](const std::string& token) {
      return token[0] != '[' && token.size() != 1 && (token.size() != 3 || token[0] != '#');
    };
    alphabet.erase(std::find_if(alphabet.begin(), alphabet.end(), is_merge), alphabet.end());
    EXPECT_EQ(trained(60, words), slowly(60, words, alphabet)) << round;
    EXPECT_EQ(trained(1000, words), slowly(1000, words, alphabet)) << round;
  }
}

TEST(VocabularyTrainer, TheTokenizerSpellsWithItWhatWasLearned) {
  VocabularyTrainer trainer;
  for (int i = 0; i < 3; ++i) trainer.add("lowest newest widest, \u4e2d\u6587");
  const TrainedVocabulary made = trainer.train(200);
  const WordPieceTokenizer tokenizer(made.tokens, {});
  std::vector<std::int32_t> ids;
  tokenizer.tokenize("Lowest newest widest, \u4e2d\u6587", ids);
  EXPECT_EQ(ids.size(), 6u);  // words that stand twice are whole
  EXPECT_EQ(made.words, 18);
  EXPECT_EQ(made.pieces_per_word, 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer.unknown_id()), 0);
}

TEST(VocabularyTrainer, LeavesOutRareCharactersAndTheirWords) {
  VocabularyTrainer trainer;
  for (int i = 0; i < 9999; ++i) trainer.add("ab");
  trainer.add("ab\u4e2d a\u03c0");  // of 20,003 characters a and b are above the share
  const TrainedVocabulary made = trainer.train(100);
  EXPECT_THAT(made.tokens,
              ElementsAre("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "ab"));
  EXPECT_EQ(made.words, 10002);
  EXPECT_EQ(made.pieces_per_word, 1);
}

TEST(VocabularyTrainer, RefusesWhatItCannotDo) {
  const auto message = [](std::int64_t size, const std::string& text) -> std::string {
    try {
      trained(size, {text});
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  EXPECT_THAT(message(7, "abc"), HasSubstr("7 tokens cannot hold the special tokens and characters "
                                           "of the text, which are 8"));
  EXPECT_EQ(message(8, "abc"), "none");
  EXPECT_THAT(message(100, " \n"), HasSubstr("no words"));
  EXPECT_THAT(message(100, "a \xff"), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace basis
