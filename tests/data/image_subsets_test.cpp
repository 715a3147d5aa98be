#include "data/image_subsets.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::HasSubstr;

/// Images of one pixel, so many of each class, whose pixels tell them apart in sets of up to 256.
ImageSet set_of(const std::vector<std::int64_t>& sizes) {
  ImageSet set{0, 1, 1, std::ssize(sizes), {}, {}};
  for (std::int64_t round = 0; round < *std::max_element(sizes.begin(), sizes.end()); ++round) {
    for (std::int32_t label = 0; label < std::ssize(sizes); ++label) {
      if (round >= sizes[static_cast<std::size_t>(label)]) continue;
      set.labels.push_back(label);
      set.pixels.push_back(static_cast<std::uint8_t>(set.count++));
    }
  }
  return set;
}

TEST(ImageSubsets, OrderHoldsEveryRowOnce) {
  const ImageSet set = set_of({40, 7, 0, 93});
  std::vector<std::int32_t> order = stratified_order(set, 3);
  std::sort(order.begin(), order.end());
  ASSERT_EQ(std::ssize(order), 140);
  for (std::int32_t row = 0; row < 140; ++row) EXPECT_EQ(order[static_cast<std::size_t>(row)], row);
}

TEST(ImageSubsets, EveryBeginningHasItsShareOfEveryClass) {
  for (const auto& sizes : std::vector<std::vector<std::int64_t>>{
           {25, 25, 25, 25}, {40, 7, 0, 93}, {1, 199}, {5923, 6742, 5958, 6131, 5842}}) {
    const ImageSet set = set_of(sizes);
    const auto classes = static_cast<double>(sizes.size());
    std::vector<double> counts(sizes.size());
    double rows = 0;
    for (std::int32_t row : stratified_order(set, 3)) {
      ++counts[static_cast<std::size_t>(set.labels[static_cast<std::size_t>(row)])];
      ++rows;
      for (std::size_t label = 0; label < sizes.size(); ++label) {
        const double share = static_cast<double>(sizes[label]) / static_cast<double>(set.count);
        ASSERT_NEAR(counts[label], rows * share, (1 + share * classes) / 2 + 1e-9)
            << "class " << label << " of the first " << rows << " rows";
      }
    }
  }
}

TEST(ImageSubsets, AreNestedForASeedAndOthersForAnother) {
  const ImageSet set = set_of({60, 60, 60});
  const ImageSet small = nested_subset(set, 10, 3), large = nested_subset(set, 40, 3);
  EXPECT_EQ(small.count, 10);
  EXPECT_EQ(large.count, 40);
  const std::set<std::uint8_t> larger(large.pixels.begin(), large.pixels.end());
  EXPECT_EQ(std::ssize(larger), 40);
  for (std::uint8_t pixel : small.pixels) EXPECT_TRUE(larger.contains(pixel));
  EXPECT_EQ(nested_subset(set, 10, 3).pixels, small.pixels);
  EXPECT_NE(nested_subset(set, 10, 4).pixels, small.pixels);
  EXPECT_EQ(nested_subset(set, 180, 3).count, 180);
}

TEST(ImageSubsets, DrawEveryRowOfAClassEquallyOften) {
  const ImageSet set = set_of({8, 8});
  std::map<std::uint8_t, int> counts;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    for (std::uint8_t pixel : nested_subset(set, 4, seed).pixels) ++counts[pixel];
  }
  // 2 of 8 in each class: 5 standard deviations of a binomial of 2000 and 1/4.
  for (int pixel = 0; pixel < 16; ++pixel) {
    EXPECT_NEAR(counts[static_cast<std::uint8_t>(pixel)], 500, 5 * std::sqrt(2000 * 3.0 / 16));
  }
}

TEST(ImageSubsets, RefuseASizeThatTheSetDoesNotHave) {
  const ImageSet set = set_of({2, 2});
  for (const std::int64_t rows : {-1, 0, 5}) {
    EXPECT_THAT(error_of([&] { nested_subset(set, rows, 0); }),
                HasSubstr("expected 1 to the 4 of the set"));
  }
}

}  // namespace
}  // namespace basis
