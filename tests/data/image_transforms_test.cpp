#include "data/image_transforms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/synthetic_images.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Kind = ImageTransform::Kind;

ImageTransform rotation(double low, double high) {
  return {Kind::Rotated, low, high, 0};
}

ImageTransform noise(double deviation) {
  return {Kind::Noisy, 0, 0, deviation};
}

ImageSet one_image(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> pixels) {
  return {1, height, width, 10, std::move(pixels), {3}};
}

/// All pixels of one value.
ImageSet grey_images(std::int64_t count, std::uint8_t value) {
  return {count,
          28,
          28,
          10,
          std::vector<std::uint8_t>(static_cast<std::size_t>(count * 784), value),
          std::vector<std::int32_t>(static_cast<std::size_t>(count))};
}

ImageSet rotated(const ImageSet& set, double degrees) {
  return transformed(set, rotation(degrees, degrees), 0);
}

// ---- Rotation -----------------------------------------------------------------------------------

TEST(RotatedImages, ByNothingOrAWholeTurnAreTheSame) {
  const ImageSet set = synthetic_images(20, 1);
  for (const double degrees : {0.0, -0.0, 360.0, -360.0}) {
    const ImageSet turned = rotated(set, degrees);
    EXPECT_EQ(turned.pixels, set.pixels) << degrees;
    EXPECT_EQ(turned.labels, set.labels);
  }
}

TEST(RotatedImages, ByAQuarterTurnGoLeftRoundExactly) {
  EXPECT_THAT(rotated(one_image(2, 2,
                                {1, 2,  //
                                 3, 4}),
                      90)
                  .pixels,
              ElementsAre(2, 4,  //
                          1, 3));
  EXPECT_THAT(rotated(one_image(3, 3,
                                {1, 2, 3,  //
                                 4, 5, 6,  //
                                 7, 8, 9}),
                      -90)
                  .pixels,
              ElementsAre(7, 4, 1,  //
                          8, 5, 2,  //
                          9, 6, 3));
  const ImageSet set = synthetic_images(20, 1);
  ImageSet four = set;
  for (int i = 0; i < 4; ++i) four = rotated(four, 90);
  EXPECT_EQ(four.pixels, set.pixels);
  EXPECT_EQ(rotated(rotated(set, 90), 90).pixels, rotated(set, 180).pixels);
}

TEST(RotatedImages, AreBilinearBetweenPixels) {
  // By 45 degrees about the middle of a 3 x 3 image a pixel beside the middle comes from where two
  // sides are 1 / sqrt(2) off, and a corner from sqrt(2) off, beyond the row of pixels.
  const double near = std::sqrt(0.5), far = 1 - near;
  const auto from_corner = [&](double corner, double side, double other_side, double middle) {
    return std::lround(near * near * corner + near * far * (side + other_side) +
                       far * far * middle);
  };
  const double beyond = 2 - std::sqrt(2.0);  // weight of the side's pixel; the rest is outside
  EXPECT_THAT(
      rotated(one_image(3, 3,
                        {10, 20, 30,  //
                         40, 50, 60,  //
                         70, 80, 90}),
              45)
          .pixels,
      ElementsAre(std::lround(beyond * 20), from_corner(30, 20, 60, 50),
                  std::lround(beyond * 60),                                      //
                  from_corner(10, 20, 40, 50), 50, from_corner(90, 60, 80, 50),  //
                  std::lround(beyond * 40), from_corner(70, 40, 80, 50), std::lround(beyond * 80)));
}

TEST(RotatedImages, AreBlackWhereNothingWas) {
  const ImageSet wide = one_image(1, 3, {200, 201, 202});
  EXPECT_THAT(rotated(wide, 90).pixels, ElementsAre(0, 201, 0));
}

TEST(RotatedImages, TakeAnAngleOfTheirOwnFromARange) {
  const ImageSet set = select(synthetic_images(1, 1), std::vector<std::int32_t>(40, 0));
  const ImageSet turned = transformed(set, rotation(-30, 30), 7);
  std::vector<std::vector<std::uint8_t>> different;
  for (std::int64_t i = 0; i < set.count; ++i) {
    different.emplace_back(turned.image(i).begin(), turned.image(i).end());
  }
  std::sort(different.begin(), different.end());
  EXPECT_EQ(std::unique(different.begin(), different.end()), different.end());
  EXPECT_EQ(transformed(set, rotation(-30, 30), 7).pixels, turned.pixels);
  EXPECT_NE(transformed(set, rotation(-30, 30), 8).pixels, turned.pixels);
  // A narrow range is that angle.
  EXPECT_EQ(transformed(set, rotation(90, 90 + 1e-9), 7).pixels, rotated(set, 90).pixels);
}

// ---- Inversion and noise ------------------------------------------------------------------------

TEST(InvertedImages, AreTheRestTo255AndTwiceTheSame) {
  const ImageSet set = one_image(1, 4, {0, 1, 100, 255});
  const ImageSet inverse = transformed(set, ImageTransform{}, 0);
  EXPECT_THAT(inverse.pixels, ElementsAre(255, 254, 155, 0));
  EXPECT_THAT(inverse.labels, ElementsAre(3));
  EXPECT_EQ(transformed(inverse, ImageTransform{}, 1).pixels, set.pixels);
}

TEST(NoisyImages, HaveTheMeanAndDeviationThatWereAsked) {
  const std::int64_t count = 100;
  const ImageSet noisy = transformed(grey_images(count, 128), noise(0.1), 3);
  const double n = static_cast<double>(count * 784);
  double sum = 0, squares = 0;
  for (std::uint8_t pixel : noisy.pixels) {
    sum += pixel - 128;
    squares += (pixel - 128) * (pixel - 128);
  }
  // 128 is 5 deviations from either end: what is cut weighs nothing. 5 standard errors of a mean
  // and of a deviation; rounding adds a variance of 1/12.
  const double deviation = std::sqrt(25.5 * 25.5 + 1.0 / 12);
  EXPECT_NEAR(sum / n, 0, 5 * deviation / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n), deviation, 5 * deviation / std::sqrt(2 * n));
}

TEST(NoisyImages, AreCutAtBlackAndWhite) {
  for (const int value : {0, 255}) {
    const ImageSet noisy =
        transformed(grey_images(10, static_cast<std::uint8_t>(value)), noise(0.5), 3);
    const auto kept = std::count(noisy.pixels.begin(), noisy.pixels.end(), value);
    // Half of all draws point outwards, and rounding keeps a little: 5 deviations of a binomial.
    EXPECT_NEAR(static_cast<double>(kept), 3920 + 7840 * 0.0016, 5 * std::sqrt(7840.0 / 4))
        << value;
  }
}

TEST(NoisyImages, DependOnSeedAndPlaceAlone) {
  const ImageSet all = grey_images(10, 100);
  const ImageSet noisy = transformed(all, noise(0.2), 3);
  EXPECT_FALSE(std::ranges::equal(noisy.image(0), noisy.image(1)));
  EXPECT_NE(transformed(all, noise(0.2), 4).pixels, noisy.pixels);
  const ImageSet fewer = transformed(grey_images(4, 100), noise(0.2), 3);
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_TRUE(std::ranges::equal(fewer.image(i), noisy.image(i)));
  EXPECT_EQ(transformed(all, noise(0), 3).pixels, all.pixels);
}

// ---- Lists --------------------------------------------------------------------------------------

TEST(ImageTransforms, GoOneAfterTheOtherAndEachDrawsForItself) {
  const ImageSet set = grey_images(50, 128);
  EXPECT_EQ(transformed(set, std::span<const ImageTransform>(), 1).pixels, set.pixels);
  const std::array<ImageTransform, 2> mixed = {rotation(0, 360), ImageTransform{}};
  EXPECT_EQ(transformed(set, mixed, 1).pixels,
            transformed(transformed(set, mixed[0], 1), mixed[1], 1).pixels);
  // Twice the same draws would have twice the deviation, others sqrt(2) times: 18.03, here to 5
  // standard errors.
  const std::array<ImageTransform, 2> twice = {noise(0.05), noise(0.05)};
  double squares = 0;
  for (std::uint8_t pixel : transformed(set, twice, 1).pixels)
    squares += (pixel - 128) * (pixel - 128);
  const double n = 50 * 784;
  EXPECT_NEAR(std::sqrt(squares / n), std::sqrt(2 * 12.75 * 12.75 + 2.0 / 12),
              5 * 18.03 / std::sqrt(2 * n));
}

TEST(ImageTransforms, AreReadFromTextAndWrittenBack) {
  const std::pair<const char*, ImageTransform> cases[] = {
      {"rotated:30", rotation(30, 30)},
      {"rotated:-30..30", rotation(-30, 30)},
      {"rotated:0.5..1.25", rotation(0.5, 1.25)},
      {"inverted", ImageTransform{}},
      {"noisy:0.2", noise(0.2)},
      {"noisy:0", noise(0)},
  };
  for (const auto& [text, transform] : cases) {
    EXPECT_EQ(parse_image_transform(text), transform) << text;
    EXPECT_EQ(transform.to_string(), text);
  }
  EXPECT_EQ(parse_image_transform(rotation(1.0 / 3, 2.0 / 3).to_string()),
            rotation(1.0 / 3, 2.0 / 3));
}

TEST(ImageTransforms, RefuseOtherTextsWithTheFormsThatThereAre) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "unknown"},
      {"rotate:30", "unknown"},
      {"inverted:1", "unknown"},
      {"Inverted", "unknown"},
      {"rotated", "unknown"},
      {"rotated:", "angle is no number"},
      {"rotated:x", "angle is no number"},
      {"rotated:3 0", "angle is no number"},
      {"rotated:1..", "angle is no number"},
      {"rotated:..1", "angle is no number"},
      {"rotated:1..2..3", "angle is no number"},
      {"rotated:361", "angles are from -360 to 360"},
      {"rotated:-400..0", "angles are from -360 to 360"},
      {"rotated:nan", "angles are from -360 to 360"},
      {"rotated:-inf..inf", "angles are from -360 to 360"},
      {"rotated:1e999", "angle is no number"},
      {"rotated:30..-30", "the range of angles falls"},
      {"noisy:nan", "standard deviations are from 0 to 10"},
      {"noisy:11", "standard deviations are from 0 to 10"},
      {"noisy:0.1,", "standard deviation is no number"},
      {"noisy:-0.1", "standard deviations are from 0 to 10"},
  };
  for (const auto& [text, reason] : cases) {
    EXPECT_THAT(error_of([&] { parse_image_transform(text); }),
                AllOf(HasSubstr("\"" + std::string(text) + "\""), HasSubstr(reason),
                      HasSubstr("there are \"rotated:30\"")));
  }
  const ImageSet set = grey_images(1, 0);
  for (const ImageTransform& wrong :
       {rotation(1, 0), rotation(0, INFINITY), noise(-1), noise(NAN)}) {
    EXPECT_THAT(error_of([&] { transformed(set, wrong, 0); }), HasSubstr("image transform"));
  }
}

}  // namespace
}  // namespace basis
