#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "data/batch_plan.h"
#include "data/masking.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

constexpr SpecialIds special = {0, 1, 2, 3, 4, 30000};
constexpr std::int32_t first_continuation = 20000;

/// Ids from 20,000 on continue a word.
const std::vector<bool>& continuations() {
  static const std::vector<bool> table = [] {
    std::vector<bool> made(30000);
    std::fill(made.begin() + first_continuation, made.end(), true);
    return made;
  }();
  return table;
}

MaskingOptions whole_words() {
  return {.continues_word = &continuations()};
}

/// A text is the lengths of its words, in tokens.
using Text = std::vector<int>;

void append_words(Encoding& row, const Text& words) {
  for (int pieces : words) {
    for (int piece = 0; piece < pieces; ++piece) {
      const auto place = static_cast<std::int32_t>(row.ids.size());
      row.ids.push_back(piece == 0 ? 100 + place : first_continuation + place);
    }
  }
}

/// Rows of [CLS], words, [SEP].
EncodedDataset texts_of(const std::vector<Text>& texts) {
  EncodedDataset dataset;
  for (const Text& words : texts) {
    Encoding row;
    row.ids.push_back(special.cls);
    append_words(row, words);
    row.ids.push_back(special.sep);
    row.type_ids.resize(row.ids.size(), 0);
    dataset.append(row, -1);
  }
  return dataset;
}

/// Texts of 10 to 125 tokens with words of 1 to 6; the first word of each is of one token.
std::vector<Text> mixed_texts() {
  std::vector<Text> texts;
  for (int t = 0; t < 60; ++t) {
    Text words = {1};
    for (int w = 0; w < 5 + t % 30; ++w) words.push_back(1 + (w * 7 + t * 3) % 6);
    texts.push_back(words);
  }
  return texts;
}

HostBatch gather(const std::vector<Text>& texts) {
  std::vector<std::int32_t> rows;
  for (std::size_t i = 0; i < texts.size(); ++i) rows.push_back(static_cast<std::int32_t>(i));
  return gather_batch(texts_of(texts), rows, 0);
}

HostMaskedBatch masked_words(const HostBatch& batch, std::uint32_t draw = 0,
                             MaskingOptions options = whole_words()) {
  return mask_batch(batch, special, options, 1, draw);
}

/// Of each text, how many of each word's tokens are drawn.
std::vector<Text> drawn_of(const std::vector<Text>& texts, const HostMaskedBatch& masked) {
  std::vector<Text> drawn;
  std::int32_t row = 0;
  for (const Text& words : texts) {
    ++row;  // [CLS]
    Text& counts = drawn.emplace_back();
    for (int pieces : words) {
      counts.push_back(0);
      for (int piece = 0; piece < pieces; ++piece, ++row) {
        counts.back() +=
            std::binary_search(masked.masked_rows.begin(), masked.masked_rows.end(), row) ? 1 : 0;
      }
    }
    ++row;  // [SEP]
  }
  return drawn;
}

int sum_of(const Text& counts) {
  int sum = 0;
  for (int count : counts) sum += count;
  return sum;
}

int quota_of(int tokens, double share = 0.15) {
  return std::max(1, static_cast<int>(std::round(share * tokens)));
}

TEST(WholeWordMasking, DrawsNoWordInPart) {
  const std::vector<Text> texts = mixed_texts();
  const HostBatch batch = gather(texts);
  int words_of_several_tokens = 0;
  for (std::uint32_t draw = 0; draw < 20; ++draw) {
    const std::vector<Text> drawn = drawn_of(texts, masked_words(batch, draw));
    for (std::size_t t = 0; t < texts.size(); ++t) {
      for (std::size_t w = 0; w < texts[t].size(); ++w) {
        if (drawn[t][w] == 0) continue;
        ASSERT_EQ(drawn[t][w], texts[t][w]) << "text " << t << ", word " << w << ", draw " << draw;
        if (drawn[t][w] > 1) ++words_of_several_tokens;
      }
    }
  }
  EXPECT_GT(words_of_several_tokens, 1000);
}

// A word that is left out was too long for what was left of the quota, so that less than the
// longest word is missing, and nothing where a word of one token is left.
TEST(WholeWordMasking, DrawsTheShareLessAtMostWhatTheLongestWordExceedsOne) {
  const std::vector<Text> texts = mixed_texts();
  const HostBatch batch = gather(texts);
  for (const double share : {0.15, 0.4}) {
    MaskingOptions options = whole_words();
    options.share = share;
    for (std::uint32_t draw = 0; draw < 20; ++draw) {
      const std::vector<Text> drawn = drawn_of(texts, masked_words(batch, draw, options));
      for (std::size_t t = 0; t < texts.size(); ++t) {
        const int quota = quota_of(sum_of(texts[t]), share), count = sum_of(drawn[t]);
        const int longest = *std::max_element(texts[t].begin(), texts[t].end());
        ASSERT_LE(count, quota);
        ASSERT_GE(count, quota - longest + 1);
        bool leaves_a_short_word = false;
        for (std::size_t w = 0; w < texts[t].size(); ++w) {
          leaves_a_short_word |= texts[t][w] == 1 && drawn[t][w] == 0;
        }
        if (leaves_a_short_word) {
          ASSERT_EQ(count, quota) << "text " << t << ", draw " << draw;
        }
      }
    }
  }
}

TEST(WholeWordMasking, DrawsEveryWordOfALengthEquallyOften) {
  const std::vector<Text> texts = {Text(10, 2)};  // 3 of 20 tokens: one word, each time
  const HostBatch batch = gather(texts);
  Text often(10);
  for (std::uint32_t draw = 0; draw < 4000; ++draw) {
    const Text drawn = drawn_of(texts, masked_words(batch, draw)).front();
    ASSERT_EQ(sum_of(drawn), 2);
    for (std::size_t w = 0; w < often.size(); ++w) often[w] += drawn[w] / 2;
  }
  // 5 standard deviations: 5 * sqrt(4000 * 0.1 * 0.9) = 95.
  for (std::size_t w = 0; w < often.size(); ++w) EXPECT_NEAR(often[w], 400, 95) << w;
}

TEST(WholeWordMasking, DrawsASequenceOfOneLongWordWhole) {
  const std::vector<Text> texts = {{30}};
  const HostMaskedBatch masked = masked_words(gather(texts));
  EXPECT_EQ(drawn_of(texts, masked), texts);
}

TEST(WholeWordMasking, DrawsOneWordWhereEachIsLongerThanTheShare) {
  const std::vector<Text> texts = {{9, 9, 9}};  // 4 of 27 tokens
  const HostBatch batch = gather(texts);
  std::vector<bool> was_drawn(3);
  for (std::uint32_t draw = 0; draw < 50; ++draw) {
    const Text drawn = drawn_of(texts, masked_words(batch, draw)).front();
    ASSERT_EQ(sum_of(drawn), 9);
    for (std::size_t w = 0; w < 3; ++w) was_drawn[w] = was_drawn[w] || drawn[w] == 9;
  }
  EXPECT_EQ(was_drawn, std::vector<bool>(3, true));  // not so: once in 2^49 / 3
}

TEST(WholeWordMasking, EndsAWordAtASpecialToken) {
  // [CLS] ##a ##b [SEP] ##c ##d [SEP]: a text cut within words. 1 of 4 tokens: one word of two.
  EncodedDataset dataset;
  const std::int32_t piece = first_continuation;
  dataset.append({{special.cls, piece, piece + 1, special.sep, piece + 2, piece + 3, special.sep},
                  {0, 0, 0, 0, 1, 1, 1}},
                 -1);
  const std::vector<std::int32_t> rows = {0};
  for (std::uint32_t draw = 0; draw < 20; ++draw) {
    const HostMaskedBatch masked = masked_words(gather_batch(dataset, rows, 0), draw);
    const std::vector<std::int32_t> first = {1, 2}, second = {4, 5};
    EXPECT_TRUE(masked.masked_rows == first || masked.masked_rows == second) << draw;
  }
}

TEST(WholeWordMasking, DrawsTheSameWhateverTheBatch) {
  const std::vector<Text> texts = mixed_texts();
  const EncodedDataset dataset = texts_of(texts);
  const HostMaskedBatch whole = masked_words(gather(texts), 5);
  std::size_t begin = 0;
  for (std::int32_t t = 0; t < static_cast<std::int32_t>(texts.size()); ++t) {
    const std::vector<std::int32_t> alone = {t};
    const HostMaskedBatch one = masked_words(gather_batch(dataset, alone, 77), 5);
    const auto from = whole.batch.ids.begin() + static_cast<std::ptrdiff_t>(begin);
    ASSERT_TRUE(std::equal(one.batch.ids.begin(), one.batch.ids.end(), from)) << t;
    begin += one.batch.ids.size();
  }
  EXPECT_NE(masked_words(gather(texts), 6).masked_rows, whole.masked_rows);
}

// What becomes of a position is its own draw, not its word's: [MASK] stands beside what stays.
TEST(WholeWordMasking, ReplacesEachPositionByItsOwnNumbers) {
  const HostBatch batch = gather(std::vector<Text>(300, Text(20, 6)));
  const HostMaskedBatch masked = masked_words(batch);
  double masks = 0, mixed_words = 0;
  const std::size_t words = masked.labels.size() / 6;
  for (std::size_t w = 0; w < words; ++w) {
    int of_word = 0;
    for (std::size_t m = 6 * w; m < 6 * w + 6; ++m) {
      const std::int32_t id = masked.batch.ids[static_cast<std::size_t>(masked.masked_rows[m])];
      EXPECT_EQ(masked.labels[m], batch.ids[static_cast<std::size_t>(masked.masked_rows[m])]);
      of_word += id == special.mask ? 1 : 0;
    }
    masks += of_word;
    mixed_words += of_word > 0 && of_word < 6 ? 1 : 0;
  }
  const auto n = static_cast<double>(masked.labels.size()), all = static_cast<double>(words);
  EXPECT_EQ(n, 300 * 18);
  // 5 standard deviations of a binomial share.
  EXPECT_NEAR(masks / n, 0.8, 5 * std::sqrt(0.16 / n));
  const double mixed = 1 - std::pow(0.8, 6) - std::pow(0.2, 6);
  EXPECT_NEAR(mixed_words / all, mixed, 5 * std::sqrt(mixed * (1 - mixed) / all));
}

TEST(WholeWordMasking, IsMaskingOfPositionsWhereNothingContinuesAWord) {
  const HostBatch batch = gather(mixed_texts());
  const std::vector<bool> nothing(30000);
  const HostMaskedBatch words = masked_words(batch, 3, {.continues_word = &nothing});
  const HostMaskedBatch positions = masked_words(batch, 3, {});
  EXPECT_EQ(words.masked_rows, positions.masked_rows);
  EXPECT_EQ(words.batch.ids, positions.batch.ids);
}

TEST(WholeWordMasking, KnowsContinuationsByTheirMarks) {
  const std::vector<std::string> vocabulary = {"[PAD]", "##ing", "#", "##", "###", "a##", "in"};
  EXPECT_EQ(word_continuations(vocabulary),
            (std::vector<bool>{false, true, false, false, true, false, false}));
}

TEST(WholeWordMasking, RefusesATableOfAnotherVocabulary) {
  const std::vector<bool> table(29999);
  const std::string message = error_of([&] {
    masked_words(gather({{1, 2}}), 0, {.continues_word = &table});
  });
  EXPECT_NE(message.find("has 29999 ids, the vocabulary 30000"), std::string::npos) << message;
}

}  // namespace
}  // namespace basis
