#include "data/metrics.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/data/test_files.h"

namespace basis {
namespace {

// Both sides count the same few numbers in f64; a dozen roundings of 1.1e-16 each.
constexpr double tolerance = 4e-15;

Answers classes(std::vector<std::int32_t> values) {
  return {std::move(values), {}};
}
Answers numbers(std::vector<double> values) {
  return {{}, std::move(values)};
}

// Expected values: scikit-learn 1.9.1 (accuracy_score, f1_score, matthews_corrcoef), scipy 1.17.1
// (pearsonr, spearmanr).
TEST(Metrics, AgreeWithScikitLearnOnClasses) {
  const Answers predicted = classes({1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1});
  const Answers expected = classes({1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1});
  EXPECT_NEAR(score(Metric::Accuracy, predicted, expected), 0.6666666666666666, tolerance);
  EXPECT_NEAR(score(Metric::F1, predicted, expected), 0.7142857142857143, tolerance);
  EXPECT_NEAR(score(Metric::Matthews, predicted, expected), 0.3142857142857143, tolerance);
  const Answers predicted3 = classes({0, 1, 2, 2, 1, 0, 0, 2, 1, 1});
  const Answers expected3 = classes({0, 1, 2, 1, 1, 2, 0, 2, 0, 1});
  EXPECT_NEAR(score(Metric::Matthews, predicted3, expected3), 0.5454545454545454, tolerance);
  EXPECT_NEAR(score(Metric::Accuracy, predicted3, expected3), 0.7, tolerance);
}

TEST(Metrics, AgreeWithScipyOnNumbersWithTies) {
  const std::vector<double> x = {0.5, 1.5, 1.5, 4.0, 2.25, 3.0, 0.5, 5.0};
  const Answers expected = numbers({0.0, 2.0, 1.0, 3.5, 3.5, 2.5, 1.0, 4.75});
  EXPECT_NEAR(score(Metric::Pearson, numbers(x), expected), 0.9136544753968879, tolerance);
  EXPECT_NEAR(score(Metric::Spearman, numbers(x), expected), 0.926829268292683, tolerance);
}

TEST(Metrics, KeepTheirDigitsWhenTheMeanIsLarge) {
  std::vector<double> x = {0.5, 1.5, 1.5, 4.0, 2.25, 3.0, 0.5, 5.0};
  for (double& value : x) value += 1e6;
  // The shifted values are exact; their mean is rounded at 1e6 * 1.1e-16, against a spread above 1.
  EXPECT_NEAR(
      score(Metric::Pearson, numbers(x), numbers({0.0, 2.0, 1.0, 3.5, 3.5, 2.5, 1.0, 4.75})),
      0.9136544753968879, 1e-9);
}

TEST(Metrics, AnswerZeroWhereOneSideSaysNothing) {
  EXPECT_EQ(score(Metric::F1, classes({0, 0, 0}), classes({0, 0, 0})), 0);
  EXPECT_EQ(score(Metric::F1, classes({0, 0, 0}), classes({1, 0, 1})), 0);
  EXPECT_DOUBLE_EQ(score(Metric::F1, classes({1, 1, 1}), classes({1, 0, 1})), 0.8);
  EXPECT_EQ(score(Metric::Matthews, classes({1, 1, 1}), classes({1, 0, 1})), 0);
  EXPECT_EQ(score(Metric::Matthews, classes({1, 1}), classes({1, 1})), 0);
  for (Metric metric : {Metric::Pearson, Metric::Spearman}) {
    EXPECT_EQ(score(metric, numbers({0.1, 0.1, 0.1}), numbers({1, 2, 3})), 0);
    EXPECT_EQ(score(metric, numbers({1, 2, 3}), numbers({0.1, 0.1, 0.1})), 0);
  }
}

TEST(Metrics, StayWithinOneForAPerfectLine) {
  const Answers x = numbers({0.1, 0.2, 0.3, 0.7});
  const Answers y = numbers({-0.3, -0.6, -0.9, -2.1});
  EXPECT_NEAR(score(Metric::Pearson, x, x), 1, tolerance);
  EXPECT_LE(score(Metric::Pearson, x, x), 1);
  EXPECT_GE(score(Metric::Pearson, x, y), -1);
  EXPECT_NEAR(score(Metric::Spearman, x, y), -1, tolerance);
}

TEST(Metrics, RefuseWhatHasNoScore) {
  EXPECT_THROW(score(Metric::Accuracy, {}, {}), Error);
  EXPECT_THROW(score(Metric::Accuracy, classes({1}), classes({1, 0})), Error);
  EXPECT_THROW(score(Metric::Accuracy, classes({1}), classes({-1})), Error);
  EXPECT_THROW(score(Metric::F1, classes({2}), classes({1})), Error);
  EXPECT_THROW(score(Metric::Pearson, classes({1}), classes({1})), Error);
  EXPECT_THROW(score(Metric::Pearson, numbers({NAN, 1}), numbers({1, 2})), Error);
}

TEST(Answers, AreTheLargestLogitAndTheLowerClassOfEquals) {
  const Task task{"t", false, false, {"a", "b", "c"}, {Metric::Accuracy}};
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {0, 1, 1, 2, 2, 2, -3, -2, -1, -infinity, -infinity, 0};
  EXPECT_EQ(answers_of(logits, task).classes, (std::vector<std::int32_t>{1, 0, 2, 2}));
  EXPECT_THROW(answers_of(std::vector<float>{0, NAN, 1}, task), Error);
  const Task regression{"t", false, true, {}, {Metric::Pearson}};
  EXPECT_EQ(answers_of(std::vector<float>{0.5f, 2}, regression).numbers,
            (std::vector<double>{0.5, 2}));
}

}  // namespace
}  // namespace basis
