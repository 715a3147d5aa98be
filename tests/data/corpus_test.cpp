#include "data/corpus.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include "data/corpus_packing.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

std::string compressed(std::string_view text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  return bytes;
}

std::vector<Paragraph> read_all(const std::filesystem::path& path) {
  CorpusReader reader(path);
  std::vector<Paragraph> paragraphs;
  while (auto paragraph = reader.next()) paragraphs.push_back(std::move(*paragraph));
  return paragraphs;
}

/// 20,000 documents of two paragraphs of varied text, 2 MB.
std::string large_corpus() {
  std::string text;
  for (int i = 0; i < 20000; ++i) {
    text.append("document ").append(std::to_string(i)).append(" begins with ");
    text.append(std::to_string(i * 7919 % 10007)).append("\n");
    text.append(static_cast<std::size_t>(i % 100), 'x').append(" ends\n\n");
  }
  return text;
}

TEST(Corpus, IsParagraphsOfDocuments) {
  TestFolder folder;
  const std::string text =
      "\xEF\xBB\xBF"
      "a\nb\n\n\n \nc\r\nd";
  for (const auto& path :
       {folder.write("c.txt", text), folder.write("c.txt.zst", compressed(text))}) {
    SCOPED_TRACE(path);
    const std::vector<Paragraph> paragraphs = read_all(path);
    ASSERT_EQ(paragraphs.size(), 4u);
    const char* texts[] = {"a", "b", "c", "d"};
    const std::int64_t lines[] = {1, 2, 6, 7};
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(paragraphs[i].text, texts[i]);
      EXPECT_EQ(paragraphs[i].line, lines[i]);
      EXPECT_EQ(paragraphs[i].begins_document, i == 0 || i == 2);
    }
  }
}

TEST(Corpus, IsTheSameCompressedOrNotInOneFrameOrSeveral) {
  TestFolder folder;
  const std::string text = large_corpus();
  const std::string half = text.substr(0, text.size() / 2);
  const auto plain = read_all(folder.write("c.txt", text));
  ASSERT_EQ(plain.size(), 40000u);
  const std::string frames = compressed(half) + compressed(text.substr(half.size()));
  for (const std::string& bytes : {compressed(text), frames}) {
    const auto other = read_all(folder.write("c.zst", bytes));
    ASSERT_EQ(other.size(), plain.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
      ASSERT_EQ(other[i].text, plain[i].text) << i;
      ASSERT_EQ(other[i].begins_document, plain[i].begins_document) << i;
    }
  }
}

TEST(Corpus, HasNothingInAnEmptyTextFile) {
  TestFolder folder;
  EXPECT_TRUE(read_all(folder.write("c.txt", "")).empty());
  EXPECT_TRUE(read_all(folder.write("c.zst", compressed(""))).empty());
}

TEST(Corpus, SaysWhereAFileIsCutOrDamaged) {
  TestFolder folder;
  const std::string whole = compressed(large_corpus());
  for (const std::size_t size :
       {whole.size() - 1, whole.size() / 2, std::size_t{3}, std::size_t{0}}) {
    const auto path = folder.write("cut.txt.zst", whole.substr(0, size));
    EXPECT_NE(error_of([&] { read_all(path); }).find("cut.txt.zst: cut short"), std::string::npos)
        << size;
  }
  std::string damaged = whole;
  damaged[0] = 'x';
  EXPECT_NE(error_of([&] {
              read_all(folder.write("damaged.zst", damaged));
            }).find("damaged.zst: damaged"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              read_all(folder.write("c.txt", "good\nb\xFF\n"));
            }).find("c.txt:2: invalid UTF-8"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              read_all(folder.write("long.txt",
                                    "a\n" + std::string(CorpusReader::longest_line + 1, 'x')));
            }).find("long.txt:2: a line of more than 16 MiB"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_all(folder.write("c.gz", "x")); }).find("ends in .txt or .zst"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_all(folder.path("absent.txt")); }).find("cannot be read"),
            std::string::npos);
}

TEST(Corpus, HasTheKnownSizeOfTheRealFiles) {
  const auto root = real_data();
  if (root.empty()) GTEST_SKIP() << "no real data; set BASIS_DATA";
  CorpusReader reader(root / "corpora" / "wikipedia.txt.zst");
  std::int64_t paragraphs = 0, documents = 0;
  std::size_t longest = 0;
  while (auto paragraph = reader.next()) {
    ++paragraphs;
    documents += paragraph->begins_document;
    longest = std::max(longest, paragraph->text.size());
  }
  // Counted once with zstd -dc and awk: lines that are not empty, and empty lines behind articles.
  EXPECT_EQ(paragraphs, 213841 - 6699);
  EXPECT_EQ(documents, 6699);
  EXPECT_EQ(longest, 6315u);
}

constexpr SpecialIds special = {0, 1, 2, 3, 4, 1000};

/// A token for each word "w<number>": the number.
std::vector<std::int32_t> numbered_words(std::string_view text) {
  std::vector<std::int32_t> ids;
  for (std::size_t at = text.find('w'); at != std::string_view::npos; at = text.find('w', at + 1)) {
    ids.push_back(std::atoi(std::string(text.substr(at + 1)).c_str()));
  }
  return ids;
}

/// `documents` of 3 paragraphs of 10 words; word j of document i is w(10 + (31 i + j) % 900).
std::string numbered_corpus(int documents) {
  std::string text;
  for (int i = 0; i < documents; ++i) {
    for (int j = 0; j < 30; ++j) {
      text.append("w").append(std::to_string(10 + (31 * i + j) % 900));
      text.append(j % 10 == 9 ? "\n" : " ");
    }
    text.append("\n");
  }
  return text;
}

PackedCorpus packed(const TestFolder& folder, int documents, const PackingOptions& options) {
  CorpusReader reader(folder.write("c.txt", numbered_corpus(documents)));
  return pack_corpus([&] { return reader.next(); }, numbered_words, special, options);
}

std::vector<std::int32_t> text_of(const EncodedDataset& dataset) {
  std::vector<std::int32_t> text;
  std::copy_if(dataset.ids.begin(), dataset.ids.end(), std::back_inserter(text),
               [](std::int32_t id) { return !special.is_special(id); });
  return text;
}

TEST(PackedCorpus, KeepsTheTextInOrderAtFullLength) {
  TestFolder folder;
  const PackedCorpus corpus = packed(folder, 200, {.length = 32});
  EXPECT_EQ(corpus.documents, 200);
  EXPECT_EQ(text_of(corpus.train), numbered_words(numbered_corpus(200)));
  for (std::int64_t row = 0; row + 1 < corpus.train.size(); ++row) {
    ASSERT_EQ(corpus.train.length(row), 32) << row;
  }
  EXPECT_LE(corpus.train.length(corpus.train.size() - 1), 32);
}

TEST(PackedCorpus, IsPairsForHalfOfTheSequences) {
  TestFolder folder;
  const PackedCorpus corpus = packed(folder, 400, {.length = 32});
  std::int64_t pairs = 0;
  for (std::int64_t row = 0; row < corpus.train.size(); ++row) {
    const auto ids = corpus.train.ids_of(row);
    const auto types = corpus.train.type_ids_of(row);
    const auto separators = std::count(ids.begin(), ids.end(), special.sep);
    ASSERT_EQ(ids.front(), special.cls);
    ASSERT_EQ(ids.back(), special.sep);
    ASSERT_TRUE(separators == 1 || separators == 2);
    pairs += separators == 2;
    const auto first_separator = std::find(ids.begin(), ids.end(), special.sep) - ids.begin();
    for (std::ptrdiff_t i = 0; i < std::ssize(types); ++i) {
      ASSERT_EQ(types[static_cast<std::size_t>(i)], i > first_separator ? 1 : 0) << row;
    }
    if (separators == 2 && std::ssize(ids) == 32) {  // 29 tokens of text, broken in the middle half
      EXPECT_TRUE(first_separator >= 8 && first_separator <= 22) << first_separator;
    }
  }
  // About 406 sequences: 5 standard deviations are 5 * sqrt(406 / 4) = 50.
  EXPECT_NEAR(static_cast<double>(pairs), static_cast<double>(corpus.train.size()) / 2, 50);
}

TEST(PackedCorpus, HoldsOutTheSameDocumentsWhateverTheSubset) {
  TestFolder folder;
  const auto starts = [](const EncodedDataset& set) {
    const auto text = text_of(set);
    return std::set<std::int32_t>(text.begin(), text.end());
  };
  PackingOptions options = {.length = 32, .held_out_share = 0.2};
  const PackedCorpus whole = packed(folder, 29, options);  // documents of disjoint words
  options.train_share = 0.5;
  const PackedCorpus half = packed(folder, 29, options);
  options.train_share = 0.25;
  const PackedCorpus quarter = packed(folder, 29, options);
  options.subset_seed = 1;
  options.train_share = 0.5;
  const PackedCorpus other = packed(folder, 29, options);

  options.seed = 5;
  const PackedCorpus reseeded = packed(folder, 29, options);

  EXPECT_GT(whole.held_out.size(), 0);
  EXPECT_EQ(whole.held_out.ids, half.held_out.ids);
  EXPECT_EQ(whole.held_out.ids, reseeded.held_out.ids);
  const auto w = starts(whole.train), h = starts(half.train), q = starts(quarter.train);
  EXPECT_TRUE(std::includes(w.begin(), w.end(), h.begin(), h.end()));
  EXPECT_TRUE(std::includes(h.begin(), h.end(), q.begin(), q.end()));
  EXPECT_LT(half.documents, whole.documents);
  EXPECT_LT(quarter.documents, half.documents);
  EXPECT_NE(starts(other.train), h);
  for (std::int32_t id : starts(whole.held_out)) EXPECT_FALSE(w.contains(id));
}

// 19th-century novels came as one file without an empty line: nothing could be held out.
TEST(PackedCorpus, TakesADocumentWithoutEndInParts) {
  std::int64_t line = 0;
  const auto next = [&]() -> std::optional<Paragraph> {
    if (line == 10'000) return std::nullopt;
    ++line;
    return Paragraph{fmt::format("w{}", line), line, line == 1};
  };
  const auto tokenize = [](std::string_view) { return std::vector<std::int32_t>{10}; };
  PackingOptions options = {.length = 32, .held_out_share = 0.3};
  const PackedCorpus corpus = pack_corpus(next, tokenize, special, options);
  EXPECT_GT(corpus.held_out.size(), 0);
  EXPECT_GT(corpus.documents, 5);
  EXPECT_LT(corpus.documents, 20);
}

TEST(PackedCorpus, StopsAtItsTokens) {
  TestFolder folder;
  const PackedCorpus corpus = packed(folder, 1000, {.length = 32, .max_tokens = 640});
  EXPECT_GE(corpus.train.token_count(), 640);
  EXPECT_LE(corpus.train.token_count(), 640 + 2 * 32);
}

TEST(PackedCorpus, RefusesWhatLeavesNothing) {
  TestFolder folder;
  EXPECT_THROW(packed(folder, 0, {}), Error);
  EXPECT_THROW(packed(folder, 10, {.held_out_share = 1}), Error);
  EXPECT_THROW(packed(folder, 10, {.length = 7}), Error);
  EXPECT_THROW(packed(folder, 10, {.pair_share = 1.5}), Error);
}

}  // namespace
}  // namespace basis
