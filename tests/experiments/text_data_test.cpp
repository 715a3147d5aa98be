#include "experiments/text_data.h"

#include <gtest/gtest.h>

#include "data/synthetic.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

class TextData : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const SyntheticLanguage language(0);
    tokenizer_ = std::make_unique<WordPieceTokenizer>(language.vocabulary(), WordPieceOptions{},
                                                      "vocabulary");
    std::string text;
    for (std::uint64_t i = 0; i < 300; ++i) text += language.document(i) + "\n\n";
    write_file_atomically(folder_ / "text.txt", text);
    settings_.corpus = "text.txt";
    settings_.max_length = 32;
  }
  PretrainCorpus load(std::int64_t train_rows, Cache* cache) {
    return load_text(settings_, 0, train_rows, *tokenizer_, DataRoot(folder_), cache,
                     [&] { ++reads_; });
  }

  std::unique_ptr<WordPieceTokenizer> tokenizer_;
  PretrainSettings settings_;
  int reads_ = 0;
};

TEST_F(TextData, IsPackedOnceAndTheSameOutOfTheCache) {
  Cache cache(folder_ / "cache");
  const PretrainCorpus first = load(20, &cache);
  EXPECT_EQ(first.train.size(), 20);
  EXPECT_GT(first.held_out.size(), 0);
  const int reads = reads_;
  const PretrainCorpus again = load(20, &cache);
  EXPECT_EQ(reads_, reads) << "the corpus was read again";
  EXPECT_EQ(serialize(again.train), serialize(first.train));
  EXPECT_EQ(serialize(again.held_out), serialize(first.held_out));
  const PretrainCorpus more = load(0, nullptr);
  EXPECT_GT(more.train.size(), 20);
  EXPECT_EQ(serialize(first_rows(more.train, 20)), serialize(first.train));
  EXPECT_EQ(serialize(more.held_out), serialize(first.held_out));
}

TEST_F(TextData, IsKnownByItsContent) {
  Cache cache(folder_ / "cache");
  const PretrainCorpus first = load(20, &cache);
  const std::string text = read_file(folder_ / "text.txt");
  write_file_atomically(folder_ / "text.txt", text.substr(text.find("\n\n") + 2));
  EXPECT_NE(serialize(load(20, &cache).train), serialize(first.train));
}

}  // namespace
}  // namespace basis
