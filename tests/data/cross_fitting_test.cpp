#include "data/cross_fitting.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "data/synthetic_images.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

std::vector<Example> sentences(int count) {
  std::vector<Example> rows;
  for (int i = 0; i < count; ++i)
    rows.push_back({"sentence " + std::to_string(i), "second", i % 2, 0});
  return rows;
}

TEST(Halves, DoNotDependOnTheOrderOfRows) {
  std::vector<Example> rows = sentences(100);
  std::vector<std::uint8_t> halves = halves_of(rows);
  std::reverse(rows.begin(), rows.end());
  std::reverse(halves.begin(), halves.end());
  EXPECT_EQ(halves_of(rows), halves);
}

TEST(Halves, KeepEqualTextsTogetherWhateverTheirLabels) {
  std::vector<Example> rows = sentences(50);
  for (Example& row : rows) row.label = 1 - row.label;
  EXPECT_EQ(halves_of(rows), halves_of(sentences(50)));
}

TEST(Halves, AreAboutEqualAndDependOnBothTexts) {
  std::vector<Example> rows = sentences(10000);
  const std::vector<std::uint8_t> halves = halves_of(rows);
  // 5 standard deviations of a binomial: 5 * sqrt(10000 / 4) = 250.
  EXPECT_NEAR(static_cast<double>(std::count(halves.begin(), halves.end(), 1)), 5000, 250);
  for (Example& row : rows) row.second = "another";
  const std::vector<std::uint8_t> others = halves_of(rows);
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < halves.size(); ++i) equal += halves[i] == others[i];
  EXPECT_NEAR(static_cast<double>(equal), 5000, 250);
}

TEST(Halves, NeverChange) {  // a study's numbers depend on them
  const std::vector<Example> rows = {{"a", "", 0, 0},   {"b", "", 0, 0}, {"ab", "c", 0, 0},
                                     {"a", "bc", 0, 0}, {"", "", 0, 0},  {"c", "", 0, 0},
                                     {"d", "", 0, 0},   {"e", "f", 0, 0}};
  EXPECT_EQ(halves_of(rows), (std::vector<std::uint8_t>{0, 0, 0, 0, 1, 1, 1, 0}));
}

TEST(Halves, OfImagesGoByTheirPixelsAlone) {
  ImageSet set = synthetic_images(2000, 1);
  const std::vector<std::uint8_t> halves = halves_of(set);
  // 5 standard deviations of a binomial: 5 * sqrt(2000 / 4) = 112.
  EXPECT_NEAR(static_cast<double>(std::count(halves.begin(), halves.end(), 1)), 1000, 112);
  std::fill(set.labels.begin(), set.labels.end(), 0);
  EXPECT_EQ(halves_of(set), halves);
  const std::vector<std::uint8_t> chosen = halves_of(select(set, std::array{7, 5, 7}));
  EXPECT_EQ(chosen, (std::vector<std::uint8_t>{halves[7], halves[5], halves[7]}));
  // Of rows, which name their image in any order.
  std::vector<Example> rows(2);
  rows[0].image = 9;
  rows[1].image = 4;
  TaskImages images;
  images.set = set;
  EXPECT_EQ(halves_of(rows, images), (std::vector<std::uint8_t>{halves[9], halves[4]}));
  // As of a text of the same bytes.
  const auto image = set.image(0);
  const std::vector<Example> text = {{std::string(image.begin(), image.end()), "", 0, 0}};
  EXPECT_EQ(halves_of(text)[0], halves[0]);
}

TEST(CrossFitting, ScoresEachHalfByWhatTheOtherHalfChose) {
  const std::vector<std::uint8_t> halves = {0, 0, 0, 1, 1, 1};
  const Answers expected = {{1, 1, 1, 0, 0, 0}, {}};
  // On half 0 the second is best (3 of 3), on half 1 the first (3 of 3).
  const std::vector<Answers> candidates = {{{1, 0, 0, 0, 0, 0}, {}}, {{1, 1, 1, 1, 1, 0}, {}}};
  const CrossFit fit = cross_fit(Metric::Accuracy, candidates, expected, halves);
  EXPECT_EQ(fit.chosen[0], 1);
  EXPECT_EQ(fit.chosen[1], 0);
  EXPECT_EQ(fit.pooled.classes, (std::vector<std::int32_t>{1, 0, 0, 1, 1, 0}));
  EXPECT_DOUBLE_EQ(fit.score, 2.0 / 6);
}

TEST(CrossFitting, TakesTheFirstOfEqualCandidatesAndWorksOnNumbers) {
  const std::vector<std::uint8_t> halves = {0, 1, 0, 1, 0, 1};
  const Answers expected = {{}, {1, 2, 3, 4, 5, 6}};
  const std::vector<Answers> candidates = {
      {{}, {6, 5, 4, 3, 2, 1}}, {{}, {1, 2, 3, 4, 5, 6}}, expected};
  const CrossFit fit = cross_fit(Metric::Spearman, candidates, expected, halves);
  EXPECT_EQ(fit.chosen, (std::array<std::int64_t, 2>{1, 1}));
  EXPECT_DOUBLE_EQ(fit.score, 1);
}

TEST(CrossFitting, RefusesWhatCannotBeSplitOrCompared) {
  const Answers two = {{0, 1}, {}};
  const std::vector<Answers> one = {two};
  const std::vector<std::uint8_t> same = {1, 1}, good = {0, 1}, short_ones = {0};
  EXPECT_THROW(cross_fit(Metric::Accuracy, {}, two, good), Error);
  EXPECT_THROW(cross_fit(Metric::Accuracy, one, two, same), Error);
  EXPECT_THROW(cross_fit(Metric::Accuracy, one, two, short_ones), Error);
  EXPECT_THROW(cross_fit(Metric::Accuracy, one, Answers{{0, 1, 0}, {}}, good), Error);
}

}  // namespace
}  // namespace basis
