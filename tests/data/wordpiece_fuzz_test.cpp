#include <random>

#include <gtest/gtest.h>

#include "data/unicode.h"
#include "data/wordpiece.h"
#include "tensor/error.h"
#include "tests/data/plain_wordpiece.h"
#include "tests/data/small_vocabulary.h"
#include "tests/fuzz/mutator.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

constexpr std::uint64_t seed = 20260727;

std::vector<std::string> text_seeds() {
  return {"the cat sat, unaffable tokenizations! [SEP] [MASK]ing [[CLS]] 12 a-b",
          "\u00dcber \u0130 \u4e2d\u56fda \ud55c \u2260 a\u302e\u0941\U0001d165b\U0001d16d \u2014",
          "a\u0301\u0316 \u1fef\u0344 c\u200bc \uf900 The I'll sixteencharacters \u03a3\u03c3",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
          "aaaaaaaaaaaaaaaaaaaaaaaaaaab \u00fc\u00fc\u00fc"};
}

TEST(WordPieceFuzz, AgreesWithThePlainVersionOrRefusesInvalidUtf8) {
  const WordPieceOptions variants[] = {
      {},
      {.lowercase = false},
      {.lowercase = true, .strip_accents = false, .split_chinese = false},
      {.lowercase = false, .strip_accents = true, .max_characters_per_word = 3}};
  for (const WordPieceOptions& options : variants) {
    const WordPieceTokenizer fast(small_vocabulary(), options);
    const PlainWordPiece plain(small_vocabulary(), options);
    fuzz::Mutator mutator(text_seeds(), seed);
    int valid = 0;
    for (int i = 0; i < 8'000; ++i) {
      const std::string text = mutator.next();
      std::vector<std::int32_t> ids;
      if (const auto place = unicode::find_invalid(text)) {
        const std::string message = error_of([&] { fast.tokenize(text, ids); });
        ASSERT_NE(message.find("at byte " + std::to_string(*place) + " "), std::string::npos)
            << message << ", input " << i;
        continue;
      }
      fast.tokenize(text, ids);
      ASSERT_EQ(ids, plain.tokenize(text)) << "input " << i << ": " << text;
      ++valid;
    }
    EXPECT_GT(valid, 800);
  }
}

// Every character, alone and within a word, between marks that stay.
TEST(WordPieceFuzz, AgreesWithThePlainVersionOnEveryCodePoint) {
  std::vector<std::string> vocabulary = small_vocabulary();
  for (const bool lowercase : {true, false}) {
    const WordPieceOptions options{.lowercase = lowercase};
    const WordPieceTokenizer fast(vocabulary, options);
    const PlainWordPiece plain(vocabulary, options);
    for (char32_t value = 0; value < 0x110000; ++value) {
      if (value >= 0x30000 && value < 0xE0000) continue;  // unassigned
      if (value >= 0xD800 && value < 0xE000) continue;
      std::string c(4, '\0');
      c.resize(static_cast<std::size_t>(unicode::encode(value, c.data())));
      std::string text = "a";
      text.append(c).append("b ").append(c).append("\u302e").append(c).append("\U0001d165");
      std::vector<std::int32_t> ids;
      fast.tokenize(text, ids);
      ASSERT_EQ(ids, plain.tokenize(text)) << "U+" << std::hex << static_cast<unsigned>(value);
    }
  }
}

TEST(WordPieceFuzz, AgreesWithThePlainVersionOnRandomVocabularies) {
  std::mt19937_64 random(seed);
  const std::string letters[] = {"a", "b", "ab", "\u00fc", "\u4e2d", "1", "-"};
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> vocabulary{"[UNK]", "[CLS]", "[SEP]"};
    const auto word = [&](std::size_t most) {
      std::string text;
      for (std::size_t i = random() % most + 1; i > 0; --i) text += letters[random() % 7];
      return text;
    };
    for (std::size_t i = random() % 60; i > 0; --i) {
      vocabulary.push_back((random() % 2 == 0 ? "##" : "") + word(6));
    }
    const WordPieceOptions options{.lowercase = false};
    const WordPieceTokenizer fast(vocabulary, options);
    const PlainWordPiece plain(vocabulary, options);
    for (int i = 0; i < 30; ++i) {
      const std::string text = word(20) + " " + word(5);
      std::vector<std::int32_t> ids;
      fast.tokenize(text, ids);
      ASSERT_EQ(ids, plain.tokenize(text)) << text;
    }
  }
}

}  // namespace
}  // namespace basis
