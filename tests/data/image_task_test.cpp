#include "data/image_task.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/synthetic_images.h"
#include "tensor/error.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TaskData task_of(const std::vector<const char*>& transforms, std::int64_t train_rows = 0,
                 std::uint64_t seed = 3) {
  ImageTaskOptions options;
  for (const char* text : transforms) options.transforms.push_back(parse_image_transform(text));
  options.seed = seed;
  options.patch = 7;
  options.train_rows = train_rows;
  return image_task("shapes", synthetic_images(30, 1, 20), synthetic_images(20, 1), options);
}

std::vector<std::int32_t> labels_of(const std::vector<Example>& rows) {
  std::vector<std::int32_t> labels;
  for (const Example& row : rows) labels.push_back(row.label);
  return labels;
}

TEST(ImageTask, HasARowForEveryImageOfItsSplit) {
  const TaskData data = task_of({});
  EXPECT_EQ(data.task.name, "shapes");
  EXPECT_EQ(data.task.outputs(), 10);
  EXPECT_EQ(data.task.labels.back(), "9");
  EXPECT_THAT(data.task.metrics, ElementsAre(Metric::Accuracy));
  check_task(data.task);
  const ImageSet train = synthetic_images(30, 1, 20), dev = synthetic_images(20, 1);
  EXPECT_EQ(labels_of(data.train), train.labels);
  EXPECT_EQ(labels_of(data.dev), dev.labels);
  const EncodedDataset rows = encode_images(data.dev, data.images);
  std::vector<std::int32_t> all(20);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(rows.patches, image_patches(dev, all, 7, pixel_statistics(train)));
  EXPECT_EQ(rows.patch_values, 49);
  EXPECT_EQ(rows.size(), 20);
  EXPECT_EQ(rows.length(19), 16);
}

TEST(ImageTask, NormalisesByTheWholeTrainingSplitBeforeItsTransforms) {
  const PixelStatistics plain = pixel_statistics(synthetic_images(30, 1, 20));
  for (const TaskData& data : {task_of({}), task_of({"inverted"}), task_of({}, 10)}) {
    EXPECT_EQ(data.images.statistics.mean, plain.mean);
    EXPECT_EQ(data.images.statistics.deviation, plain.deviation);
  }
}

TEST(ImageTask, TransformsBothSplitsAndDrawsForEachApart) {
  const TaskData plain = task_of({}), inverted = task_of({"inverted"});
  for (std::size_t i = 0; i < plain.images.set.pixels.size(); ++i) {
    ASSERT_EQ(inverted.images.set.pixels[i], 255 - plain.images.set.pixels[i]) << i;
  }
  // The same set twice: what is drawn for an image of one split is not what is for the other's.
  ImageTaskOptions options;
  options.transforms = {parse_image_transform("noisy:0.3")};
  options.patch = 7;
  const ImageSet set = synthetic_images(5, 1);
  const TaskData noisy = image_task("noisy", set, set, options);
  EXPECT_FALSE(std::ranges::equal(noisy.images.set.image(0), noisy.images.set.image(5)));
}

TEST(ImageTask, HasTheSameFirstRowsWhateverIsCutOff) {
  const TaskData all = task_of({"rotated:-30..30"}), some = task_of({"rotated:-30..30"}, 12);
  ASSERT_EQ(some.train.size(), 12u);
  EXPECT_EQ(some.dev.size(), 20u);
  const std::span first_rows = std::span(all.train).first(12);
  EXPECT_EQ(encode_images(some.train, some.images).patches,
            encode_images(first_rows, all.images).patches);
  EXPECT_EQ(encode_images(some.dev, some.images).patches,
            encode_images(all.dev, all.images).patches);
  EXPECT_EQ(task_of({}, 1000).train.size(), 30u);
}

TEST(ImageTask, RowsKeepTheirImageWhereverTheyGo) {
  TaskData data = task_of({});
  std::swap(data.train[2], data.train[5]);
  data.train[0].label = 9;  // labels are the rows'
  const EncodedDataset rows = encode_images(data.train, data.images);
  EXPECT_THAT(rows.labels, testing::ElementsAreArray(labels_of(data.train)));
  const EncodedDataset one = encode_images(std::span(data.train).subspan(5, 1), data.images);
  EXPECT_TRUE(std::ranges::equal(rows.patches_of(5), one.patches));
  EXPECT_FALSE(std::ranges::equal(rows.patches_of(2), one.patches));
}

TEST(ImageTask, HasSharesOfItsRowsThatLieInEachOtherWithEveryClassAlike) {
  const TaskData data = task_of({});
  std::set<std::int32_t> inner;
  for (const double share : {1.0 / 3, 2.0 / 3}) {
    const std::vector<Example> rows = nested_rows(data, share, 5);
    EXPECT_EQ(std::ssize(rows), std::llround(30 * share));
    std::set<std::int32_t> images;
    std::vector<int> of_class(10, 0);
    for (const Example& row : rows) {
      images.insert(row.image);
      ++of_class[static_cast<std::size_t>(row.label)];
      EXPECT_EQ(row.label, data.images.set.labels[static_cast<std::size_t>(row.image)]);
    }
    EXPECT_EQ(images.size(), rows.size());
    EXPECT_TRUE(std::ranges::includes(images, inner));
    EXPECT_THAT(of_class, testing::Each(std::llround(3 * share)));
    inner = images;
  }
  EXPECT_EQ(labels_of(nested_rows(data, 1, 5)), labels_of(data.train)) << "in their order";
  EXPECT_EQ(nested_rows(data, 1e-6, 5).size(), 1u);
  const auto pixels = [&](std::uint64_t seed) {
    return encode_images(nested_rows(data, 0.5, seed), data.images).patches;
  };
  EXPECT_NE(pixels(6), pixels(5));
}

TEST(ImageTask, SaysWhatDoesNotFit) {
  const ImageSet set = synthetic_images(20, 1);
  ImageTaskOptions options;
  options.patch = 5;
  EXPECT_THAT(error_of([&] { image_task("t", set, set, options); }),
              HasSubstr("patches of 5 x 5 asked"));
  options.patch = 7;
  const ImageSet small{1, 2, 2, 10, {1, 2, 3, 4}, {0}};
  EXPECT_THAT(error_of([&] { image_task("t", set, small, options); }),
              HasSubstr("t: training images of 28 x 28 in 10 classes, test images of 2 x 2"));
  EXPECT_THAT(error_of([&] { nested_rows(task_of({}), 0, 1); }), HasSubstr("a share 0 of"));
  EXPECT_THAT(error_of([&] { encode_images({}, task_of({}).images); }), HasSubstr("no rows"));
}

}  // namespace
}  // namespace basis
