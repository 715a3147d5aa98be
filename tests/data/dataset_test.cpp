#include "data/dataset.h"

#include <gtest/gtest.h>

#include "tests/data/sample_dataset.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

/// A token a letter: its code; the second text has type 1.
Encoding letters(const Example& row) {
  Encoding encoding;
  for (char letter : row.first) {
    encoding.ids.push_back(letter);
    encoding.type_ids.push_back(0);
  }
  for (char letter : row.second) {
    encoding.ids.push_back(letter);
    encoding.type_ids.push_back(1);
  }
  return encoding;
}

std::string file_content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(EncodedDataset, HoldsRowsFlat) {
  const std::vector<Example> rows = {{"ab", "c", 1, 0.5}, {"d", "", -1, 2}};
  const EncodedDataset dataset = encode(rows, true, letters);
  EXPECT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.token_count(), 4);
  EXPECT_EQ(dataset.ids, (std::vector<std::int32_t>{'a', 'b', 'c', 'd'}));
  EXPECT_EQ(dataset.type_ids, (std::vector<std::uint8_t>{0, 0, 1, 0}));
  EXPECT_EQ(dataset.offsets, (std::vector<std::int64_t>{0, 3, 4}));
  EXPECT_EQ(dataset.labels, (std::vector<std::int32_t>{1, -1}));
  EXPECT_EQ(dataset.targets, (std::vector<double>{0.5, 2}));
  EXPECT_EQ(dataset.ids_of(1)[0], 'd');
  EXPECT_TRUE(encode(rows, false, letters).targets.empty());
}

TEST(EncodedDataset, CanBeCutToItsFirstRows) {
  const EncodedDataset dataset = sample_dataset({3, 1, 5});
  const EncodedDataset two = first_rows(dataset, 2);
  EXPECT_EQ(two.size(), 2);
  EXPECT_EQ(two.token_count(), 4);
  EXPECT_TRUE(std::ranges::equal(two.ids_of(1), dataset.ids_of(1)));
  EXPECT_TRUE(std::ranges::equal(two.type_ids_of(1), dataset.type_ids_of(1)));
  EXPECT_EQ(two.labels.size(), 2u);
  EXPECT_EQ(serialize(first_rows(dataset, 9)), serialize(dataset));
}

TEST(EncodedDataset, RefusesNoRowsAndARowWithoutTokens) {
  EXPECT_THROW(encode({}, false, letters), Error);
  const std::vector<Example> rows = {{"a", "", 0, 0}, {"", "", 0, 0}};
  EXPECT_EQ(error_of([&] { encode(rows, false, letters); }), "row 1: no tokens");
}

TEST(EncodedDataset, IsTheSameAfterSavingAndLoading) {
  TestFolder folder;
  EncodedDataset dataset = sample_dataset({3, 1, 5});
  for (bool is_regression : {false, true}) {
    if (is_regression) dataset.targets = {0.1, -2, 1e300};
    save(dataset, folder.path("set"));
    const EncodedDataset loaded = load_dataset(folder.path("set"));
    EXPECT_EQ(loaded.ids, dataset.ids);
    EXPECT_EQ(loaded.type_ids, dataset.type_ids);
    EXPECT_EQ(loaded.offsets, dataset.offsets);
    EXPECT_EQ(loaded.labels, dataset.labels);
    EXPECT_EQ(loaded.targets, dataset.targets);
  }
}

TEST(EncodedDataset, RefusesAFileThatIsCutOrHasOneByteChanged) {
  TestFolder folder;
  save(sample_dataset({2, 3}), folder.path("set"));
  const std::string whole = file_content(folder.path("set"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    folder.write("cut", whole.substr(0, size));
    EXPECT_THROW(load_dataset(folder.path("cut")), Error) << size;
    std::string changed = whole;
    changed[size] = static_cast<char>(changed[size] ^ 0x40);
    folder.write("changed", changed);
    EXPECT_THROW(load_dataset(folder.path("changed")), Error) << size;
  }
  EXPECT_THROW(load_dataset(folder.path("absent")), Error);
}

TEST(EncodedDataset, LeavesNothingBehindWhereItCannotBeWritten) {
  TestFolder folder;
  std::filesystem::create_directories(folder.path("set/inside"));  // the name is taken by a folder
  EXPECT_NE(error_of([&] { save(sample_dataset({2}), folder.path("set")); }).find("set"),
            std::string::npos);
  EXPECT_THROW(save(sample_dataset({2}), folder.path("absent/set")), Error);
  std::int64_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path("")))
    ++entries;
  EXPECT_EQ(entries, 1);
}

}  // namespace
}  // namespace basis
