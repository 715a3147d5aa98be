#include "data/image_batches.h"

#include <array>
#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/synthetic_images.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Pixels are 255 times theirs.
constexpr PixelStatistics as_they_are{0, 1.0 / 255};

/// Image i of 4 x 6 has pixels 100 i + 10 row + column.
ImageSet numbered_images() {
  ImageSet set{3, 4, 6, 10, {}, {5, 6, 7}};
  for (int image = 0; image < 3; ++image) {
    for (int row = 0; row < 4; ++row) {
      for (int column = 0; column < 6; ++column) {
        set.pixels.push_back(static_cast<std::uint8_t>(100 * image + 10 * row + column));
      }
    }
  }
  return set;
}

std::vector<int> rounded(const std::vector<float>& values) {
  std::vector<int> whole;
  for (float value : values) {
    whole.push_back(static_cast<int>(std::lround(value)));
    EXPECT_NEAR(value, whole.back(), 255 * 6e-8);  // half a unit in f32's last place
  }
  return whole;
}

TEST(ImageBatches, RowsAreTheImagesLineByLine) {
  const std::vector<int> batch =
      rounded(image_rows(numbered_images(), std::array{2, 0}, as_they_are));
  ASSERT_EQ(batch.size(), 48U);
  EXPECT_THAT(std::vector(batch.begin(), batch.begin() + 8),
              ElementsAre(200, 201, 202, 203, 204, 205, 210, 211));
  EXPECT_EQ(batch[24], 0);
  EXPECT_EQ(batch[47], 35);
  EXPECT_THAT(image_labels(numbered_images(), std::array{2, 0}), ElementsAre(7, 5));
}

TEST(ImageBatches, PatchesComeInReadingOrderAndTheirPixelsLineByLine) {
  const ImageSet set = numbered_images();
  EXPECT_EQ(patches_of_one(set, 2), 6);
  EXPECT_THAT(rounded(image_patches(set, std::array{1}, 2, as_they_are)),
              ElementsAre(100, 101, 110, 111,  //
                          102, 103, 112, 113,  //
                          104, 105, 114, 115,  //
                          120, 121, 130, 131,  //
                          122, 123, 132, 133,  //
                          124, 125, 134, 135));
  EXPECT_EQ(image_patches(set, std::array{2, 0}, 1, as_they_are),
            image_rows(set, std::array{2, 0}, as_they_are));
  const std::vector<int> two = rounded(image_patches(set, std::array{2, 0}, 2, as_they_are));
  EXPECT_EQ(two[4], 202);
  EXPECT_EQ(two[24 + 4], 2);  // the second image's second patch
  const ImageSet square{1, 2, 2, 10, {1, 2, 3, 4}, {0}};
  EXPECT_THAT(rounded(image_patches(square, std::array{0}, 2, as_they_are)),
              ElementsAre(1, 2, 3, 4));
}

TEST(ImageBatches, PixelsAreNormalised) {
  const ImageSet set{1, 1, 4, 10, {0, 51, 102, 255}, {0}};  // 0, 0.2, 0.4, 1
  const std::vector<float> batch = image_rows(set, std::array{0}, {0.4, 0.5});
  EXPECT_THAT(batch,
              ElementsAre(-0.8f, testing::FloatEq(-0.4f), testing::FloatNear(0, 1e-7f), 1.2f));
}

TEST(PixelStatistics, AreTheMeanAndDeviationOfAllPixels) {
  const ImageSet set{2, 1, 2, 10, {0, 0, 0, 255}, {0, 0}};
  const PixelStatistics statistics = pixel_statistics(set);
  EXPECT_DOUBLE_EQ(statistics.mean, 0.25);
  EXPECT_DOUBLE_EQ(statistics.deviation, std::sqrt(3.0) / 4);
}

TEST(PixelStatistics, BringASetToMean0AndDeviation1) {
  const ImageSet set = synthetic_images(100, 2);
  std::vector<std::int32_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  double sum = 0, squares = 0;
  const std::vector<float> batch = image_patches(set, all, 7, pixel_statistics(set));
  for (const double value : batch) {
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(batch.size());
  // Rounding to f32: half of 2^-23 of values below 8, which do not all round the same way.
  EXPECT_NEAR(sum / count, 0, 8 * 6e-8);
  EXPECT_NEAR(squares / count, 1, 2 * 8 * 6e-8);
}

// NumPy on the published file: pixels / 255, mean and std.
TEST(PixelStatistics, OfMnistAreTheKnownOnes) {
  const auto root = real_data();
  if (root.empty() || !std::filesystem::exists(root / "vision/mnist")) {
    GTEST_SKIP() << "no MNIST; set BASIS_DATA to the folder that holds vision/mnist";
  }
  const PixelStatistics statistics =
      pixel_statistics(read_image_set(image_folder("mnist", root), ImageSplit::Train));
  EXPECT_NEAR(statistics.mean, 0.1306604762738429, 1e-12);
  EXPECT_NEAR(statistics.deviation, 0.30810780385646264, 1e-12);
}

TEST(ImageBatches, SayWhatDoesNotFit) {
  const ImageSet set = numbered_images();
  for (const std::int64_t patch : {-1, 0, 3, 4, 8}) {
    const auto message = "patches of " + std::to_string(patch) + " x " + std::to_string(patch) +
                         " asked, which do not fill images of 4 x 6";
    EXPECT_THAT(error_of([&] { image_patches(set, std::array{0}, patch, as_they_are); }),
                HasSubstr(message));
  }
  const std::span<const std::int32_t> none;
  EXPECT_THAT(error_of([&] { image_rows(set, none, as_they_are); }), HasSubstr("no images"));
  EXPECT_THAT(error_of([&] { image_patches(set, none, 2, as_they_are); }), HasSubstr("no images"));
  EXPECT_THROW(image_rows(set, std::array{3}, as_they_are), InternalError);
  EXPECT_THROW(image_labels(set, std::array{-1}), InternalError);
  EXPECT_THAT(error_of([&] {
                image_rows(set, std::array{0}, {0.5, 0});
              }),
              HasSubstr("mean 0.5 and deviation 0 cannot be normalised"));
  EXPECT_THAT(error_of([&] {
                pixel_statistics({2, 1, 1, 10, {9, 9}, {0, 0}});
              }),
              HasSubstr("every pixel is 9"));
  EXPECT_THAT(error_of([&] { pixel_statistics({}); }), HasSubstr("no images"));
}

}  // namespace
}  // namespace basis
