#include "experiments/cache.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/data_root.h"
#include "experiments/progress.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string key_of(int number) {
  return Hasher().add(number).hex();
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string text_of(const std::optional<CacheEntry>& entry) {
  if (!entry) return "nothing";
  return {reinterpret_cast<const char*>(entry->bytes.data()), entry->bytes.size()};
}

class CacheTest : public FolderTest {
 protected:
  std::filesystem::path file_of(int number) const {
    return folder_ / key_of(number).substr(0, 2) / key_of(number);
  }
  /// As if it had been used so many hours ago.
  void age(int number, int hours) const {
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(file_of(number), now - std::chrono::hours(hours));
  }
};

TEST_F(CacheTest, KeepsBytesBetweenProcesses) {
  EXPECT_FALSE(Cache(folder_).find(key_of(1)));
  EXPECT_TRUE(Cache(folder_).put(key_of(1), bytes_of("one")));
  EXPECT_TRUE(Cache(folder_).put(key_of(2), bytes_of("")));
  EXPECT_EQ(text_of(Cache(folder_).find(key_of(1))), "one");
  EXPECT_EQ(text_of(Cache(folder_).find(key_of(2))), "");
}

TEST_F(CacheTest, RemovesWhatWasNotUsedForLongest) {
  const std::string content(1000, 'x');
  Cache cache(folder_, 3200);  // three entries with their hashes
  for (const int number : {1, 2, 3}) cache.put(key_of(number), bytes_of(content));
  age(1, 3);
  age(2, 2);
  age(3, 1);
  EXPECT_TRUE(cache.find(key_of(1)));  // used just now
  cache.put(key_of(4), bytes_of(content));
  EXPECT_TRUE(cache.find(key_of(1)));
  EXPECT_FALSE(cache.find(key_of(2)));
  EXPECT_TRUE(cache.find(key_of(3)));
  EXPECT_TRUE(cache.find(key_of(4)));
  EXPECT_LE(cache.size(), 3200u);
}

TEST_F(CacheTest, TakesNothingLargerThanItself) {
  Cache cache(folder_, 100);
  EXPECT_FALSE(cache.put(key_of(1), bytes_of(std::string(100, 'x'))));
  EXPECT_EQ(cache.size(), 0u);
}

TEST_F(CacheTest, ADamagedEntryIsNoneAndGoes) {
  Cache cache(folder_);
  const std::string content = "a basis of some weight";
  for (const std::string& damage : {std::string(), std::string("short"), content}) {
    cache.put(key_of(1), bytes_of(content));
    write_file_atomically(file_of(1), damage);
    EXPECT_FALSE(cache.find(key_of(1)));
    EXPECT_FALSE(std::filesystem::exists(file_of(1)));
  }
  cache.put(key_of(1), bytes_of(content));
  std::string stored = read_file(file_of(1));
  stored[3] ^= 1;
  write_file_atomically(file_of(1), stored);
  EXPECT_FALSE(cache.find(key_of(1)));
}

TEST_F(CacheTest, AnEntryInUseOutlivesItsRemoval) {
  Cache cache(folder_, 150);
  cache.put(key_of(1), bytes_of(std::string(100, 'a')));
  const std::optional<CacheEntry> entry = cache.find(key_of(1));
  age(1, 1);
  cache.put(key_of(2), bytes_of(std::string(100, 'b')));
  EXPECT_FALSE(std::filesystem::exists(file_of(1)));
  EXPECT_EQ(text_of(entry), std::string(100, 'a'));
}

TEST_F(CacheTest, RemovesOldLeftoversAndNoFreshOnes) {
  write_file_atomically(folder_ / "left", "half-written");
  write_file_atomically(folder_ / "fresh", "being written");
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(folder_ / "left", now - std::chrono::hours(2));
  Cache(folder_).put(key_of(1), bytes_of("one"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "left"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "fresh"));
}

TEST_F(CacheTest, AFolderThatCannotBeWrittenOnlyCostsTime) {
  write_file_atomically(folder_ / "file", "");
  Cache cache(folder_ / "file" / "below");
  EXPECT_FALSE(cache.put(key_of(1), bytes_of("one")));
  EXPECT_FALSE(cache.find(key_of(1)));
}

// ---- The data root ------------------------------------------------------------------------------

class DataRootTest : public FolderTest {};

TEST_F(DataRootTest, ResolvesUnderItselfButForAbsolutePaths) {
  const DataRoot root(folder_);
  EXPECT_EQ(root.resolve("glue/MRPC"), folder_ / "glue/MRPC");
  EXPECT_EQ(root.resolve("/elsewhere"), "/elsewhere");
}

TEST_F(DataRootTest, NamesPlaceSourceAndChecksumOfWhatIsMissing) {
  const DataRoot root(folder_);
  const auto message = [&](auto require) {
    try {
      require();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message([&] { root.require_file("vocab/bert-base-uncased-vocab.txt"); }),
              AllOf(HasSubstr((folder_ / "vocab/bert-base-uncased-vocab.txt").string()),
                    HasSubstr("google-research/bert"), HasSubstr("XXH3-128 4ebd"),
                    HasSubstr("BASIS_DATA")));
  EXPECT_THAT(message([&] { root.require_folder("weights/minilm-l6-h384-uncased"); }),
              HasSubstr("all-MiniLM-L6-v2"));
  EXPECT_THAT(message([&] { root.require_folder("weights/mine"); }), HasSubstr("any BERT folder"));
  write_file_atomically(folder_ / "weights", "");
  EXPECT_THAT(message([&] { root.require_folder("weights"); }), HasSubstr("not a folder"));
}

// ---- Progress -----------------------------------------------------------------------------------

class ProgressTest : public testing::Test {
 protected:
  void run(ProgressPrinter& printer, double seconds_a_step) {
    Stage stage;
    stage.label = "finetune mrpc lora seed 0";
    printer.stage_started(stage, 2, 12);
    for (int step = 1; step <= 100; ++step) {
      printer.stage_progressed(stage, {step, 100, 0.51234, 1606.4}, step * seconds_a_step);
    }
    StageResult result;
    result.metrics = {{"accuracy", 0.84313}};
    result.seconds = 65;
    printer.stage_ended(stage, StageOutcome::Computed, result, "");
  }
  std::vector<std::string> lines_;
};

TEST_F(ProgressTest, InALogIsAPlainLineNowAndThen) {
  ProgressPrinter printer([&](std::string_view text) { lines_.emplace_back(text); }, false);
  run(printer, 0.1);  // 10 s in all: one line on the way at most
  EXPECT_LE(lines_.size(), 2u);
  EXPECT_EQ(lines_.back(), "[3/12] finetune mrpc lora seed 0  accuracy 0.8431  1:05\n");
  lines_.clear();
  run(printer, 10);  // a line each 5 %
  EXPECT_EQ(lines_.size(), 20u);
  EXPECT_EQ(lines_.front(),
            "[3/12] finetune mrpc lora seed 0  step 6/100  loss 0.5123  1,606 tokens/s  15:40 "
            "left\n");
}

TEST_F(ProgressTest, OnATerminalIsOneLineWrittenOver) {
  ProgressPrinter printer([&](std::string_view text) { lines_.emplace_back(text); }, true);
  run(printer, 1);
  int ends = 0;
  for (const std::string& text : lines_) {
    EXPECT_EQ(text.rfind("\r\x1b[K", 0), 0u) << text;
    ends += text.back() == '\n';
  }
  EXPECT_EQ(ends, 1);
}

// A screen that knows what the printer uses.
std::vector<std::string> screen_after(const std::string& output) {
  std::vector<std::string> rows(1);
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (output[i] == '\n') {
      rows.emplace_back();
    } else if (output[i] == '\r') {
      continue;  // what follows it always clears the line
    } else if (output[i] != '\x1b') {
      rows.back() += output[i];
    } else {
      const std::size_t last = output.find_first_of("AJKlh", i);
      if (output[last] == 'A') {
        rows.resize(rows.size() - std::stoul(output.substr(i + 2)));
      } else if (output[last] == 'J' || output[last] == 'K') {
        rows.back().clear();
      }
      i = last;
    }
  }
  return rows;
}

TEST_F(ProgressTest, OnATerminalStagesBesideEachOtherHaveALineEach) {
  std::string output;
  ProgressPrinter printer([&](std::string_view text) { output += text; }, true);
  Stage one, two, three;
  one.label = one.folder = "one";
  two.label = two.folder = "two";
  three.label = three.folder = "three";
  printer.stage_started(one, 0, 3);
  printer.stage_started(two, 1, 3);
  printer.stage_progressed(two, {1, 9, std::nan(""), 0}, 1);
  printer.stage_remarked(one, "in f32");
  EXPECT_THAT(screen_after(output),
              testing::ElementsAre("[1/3] one  in f32", "[1/3] one", "[2/3] two  step 1/9"));
  printer.stage_ended(one, StageOutcome::Failed, {}, "no");
  printer.stage_started(three, 2, 3);
  printer.stage_ended(two, StageOutcome::Interrupted, {}, "");
  EXPECT_THAT(screen_after(output),
              testing::ElementsAre("[1/3] one  in f32", "[1/3] one  FAILED: no",
                                   "[2/3] two  interrupted", "[3/3] three"));
  printer.stage_ended(three, StageOutcome::Interrupted, {}, "");
  EXPECT_EQ(screen_after(output).back(), "");
}

TEST(Durations, AreWrittenAsClocksDo) {
  EXPECT_EQ(format_duration(0.4), "0:00");
  EXPECT_EQ(format_duration(59.6), "1:00");
  EXPECT_EQ(format_duration(12000), "3:20:00");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1234567.4), "1,234,567");
}

}  // namespace
}  // namespace basis
