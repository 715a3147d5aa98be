#include "data/synthetic_images.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/hash.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::HasSubstr;

using Image = std::vector<double>;

double distance2(std::span<const std::uint8_t> image, const Image& to) {
  double sum = 0;
  for (std::size_t i = 0; i < to.size(); ++i) sum += (image[i] - to[i]) * (image[i] - to[i]);
  return sum;
}

struct Example {
  Image image;
  std::int32_t label;
};

/// Share of `set` whose nearest example has their label.
double accuracy(const std::vector<Example>& examples, const ImageSet& set) {
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < set.count; ++i) {
    const auto nearest =
        std::min_element(examples.begin(), examples.end(), [&](const Example& a, const Example& b) {
          return distance2(set.image(i), a.image) < distance2(set.image(i), b.image);
        });
    right += nearest->label == set.labels[static_cast<std::size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(set.count);
}

std::vector<Example> examples_of(const ImageSet& set) {
  std::vector<Example> examples;
  for (std::int64_t i = 0; i < set.count; ++i) {
    const auto image = set.image(i);
    examples.push_back({{image.begin(), image.end()}, set.labels[static_cast<std::size_t>(i)]});
  }
  return examples;
}

std::vector<Example> means_of(const ImageSet& set) {
  std::vector<Example> means;
  for (std::int32_t label = 0; label < set.classes; ++label) {
    Image mean(static_cast<std::size_t>(set.pixels_of_one()));
    for (std::int64_t i = label; i < set.count; i += set.classes) {
      const auto image = set.image(i);
      for (std::size_t p = 0; p < mean.size(); ++p) {
        mean[p] += image[p] * static_cast<double>(set.classes) / static_cast<double>(set.count);
      }
    }
    means.push_back({std::move(mean), label});
  }
  return means;
}

TEST(SyntheticImages, ClassesTakeTurns) {
  const ImageSet set = synthetic_images(25, 1);
  EXPECT_EQ(set.count, 25);
  EXPECT_EQ(set.height, 28);
  EXPECT_EQ(set.width, 28);
  EXPECT_EQ(set.classes, 10);
  for (std::int32_t i = 0; i < 25; ++i) EXPECT_EQ(set.labels[static_cast<std::size_t>(i)], i % 10);
  EXPECT_EQ(synthetic_images(0, 1).count, 0);
}

TEST(SyntheticImages, AreAFunctionOfSeedAndPlace) {
  const ImageSet set = synthetic_images(30, 5);
  const ImageSet later = synthetic_images(7, 5, 23);
  for (std::int64_t i = 0; i < 7; ++i) {
    EXPECT_TRUE(std::ranges::equal(later.image(i), set.image(23 + i))) << i;
    EXPECT_EQ(later.labels[static_cast<std::size_t>(i)],
              set.labels[static_cast<std::size_t>(23 + i)]);
  }
  EXPECT_NE(synthetic_images(30, 6).pixels, set.pixels);
  EXPECT_FALSE(std::ranges::equal(set.image(0), set.image(10)));
}

TEST(SyntheticImages, NeverChange) {  // a study's numbers depend on them, on every machine
  const ImageSet set = synthetic_images(1000, 42);
  EXPECT_EQ(Hasher().add(std::as_bytes(std::span(set.pixels))).hex(),
            "9e76e02285699936cab48acd2f51b4b5");
}

// A classifier by the nearest mean is linear. Scikit-learn on 10,000 images: logistic regression
// 0.39, a perceptron with 128 hidden units 0.95.
TEST(SyntheticImages, AreTooHardForTheirClassesMeansAndNotForTheNearestImage) {
  const ImageSet train = synthetic_images(1000, 3);
  const ImageSet test = synthetic_images(400, 3, 1000);
  const double by_mean = accuracy(means_of(train), test);
  EXPECT_GT(by_mean, 0.2);  // chance is 0.1
  EXPECT_LT(by_mean, 0.5);
  EXPECT_GT(accuracy(examples_of(train), test), 0.6);
}

TEST(SyntheticImages, EachShowsItsShape) {
  const ImageSet set = synthetic_images(500, 9);
  for (std::int64_t i = 0; i < set.count; ++i) {
    const auto image = set.image(i);
    EXPECT_GT(std::count_if(image.begin(), image.end(), [](std::uint8_t p) { return p > 90; }), 12)
        << i;
  }
}

TEST(SyntheticImages, RefuseCountsAndPlacesBelowZeroOrTooLarge) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const auto& [count, first] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {-1, 0}, {1, -1}, {1, std::int64_t{1} << 32}, {1, most}, {most, 0}}) {
    EXPECT_THAT(error_of([&] { synthetic_images(count, 0, first); }),
                HasSubstr("places start at 0"));
  }
}

}  // namespace
}  // namespace basis
