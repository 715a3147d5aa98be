#include "data/image_set.h"

#include <algorithm>
#include <array>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/idx_bytes.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const char* const train_images = "train-images-idx3-ubyte";
const char* const train_labels = "train-labels-idx1-ubyte";
const char* const test_images = "t10k-images-idx3-ubyte";
const char* const test_labels = "t10k-labels-idx1-ubyte";

/// Two training images of 1 x 3 plain, one test image of 2 x 1 gzipped.
void write_set(const TestFolder& folder) {
  folder.write(train_images, idx_bytes({2, 1, 3}, "abcdef"));
  folder.write(train_labels, idx_bytes({2}, "\x09\x03"));
  folder.write(std::string(test_images) + ".gz", gzipped(idx_bytes({1, 2, 1}, "xy")));
  folder.write(std::string(test_labels) + ".gz", gzipped(idx_bytes({1}, "\x01")));
}

TEST(ImageSet, IsReadFromPlainAndGzippedFiles) {
  const TestFolder folder;
  write_set(folder);
  const ImageSet train = read_image_set(folder.path(""), ImageSplit::Train);
  EXPECT_EQ(train.count, 2);
  EXPECT_EQ(train.height, 1);
  EXPECT_EQ(train.width, 3);
  EXPECT_EQ(train.classes, 10);
  EXPECT_THAT(train.pixels, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(train.labels, ElementsAre(9, 3));
  EXPECT_THAT(train.image(1), ElementsAre('d', 'e', 'f'));
  const ImageSet test = read_image_set(folder.path(""), ImageSplit::Test);
  EXPECT_EQ(test.count, 1);
  EXPECT_EQ(test.height, 2);
  EXPECT_EQ(test.width, 1);
  EXPECT_THAT(test.pixels, ElementsAre('x', 'y'));
  EXPECT_THAT(test.labels, ElementsAre(1));
}

struct Refusal {
  const char* file;
  std::string content;
  const char* message;
};

TEST(ImageSet, SaysWhichFileDoesNotFit) {
  const Refusal cases[] = {
      {train_images, idx_bytes({6}, "abcdef"),
       "1 axes (6), expected 3 of images, rows and columns"},
      {train_images, idx_bytes({2, 0, 3}, ""), "no images, rows and columns (2 x 0 x 3)"},
      {train_labels, idx_bytes({2, 1}, "\x09\x03"), "2 axes (2 x 1), expected 1 of labels"},
      {train_labels, idx_bytes({0}, ""), "no labels (0)"},
      {train_labels, idx_bytes({3}, "\x09\x03\x01"), "3 labels for the 2 images of "},
      {train_labels, idx_bytes({2}, "\x09\x0a"), "label 10 of image 1 (from 0), expected 0 to 9"},
      {train_labels, "no idx file", "expected an idx file"},
  };
  for (const Refusal& one : cases) {
    SCOPED_TRACE(one.message);
    const TestFolder folder;
    write_set(folder);
    folder.write(one.file, one.content);
    EXPECT_THAT(error_of([&] { read_image_set(folder.path(""), ImageSplit::Train); }),
                AllOf(HasSubstr(folder.path(one.file).string()), HasSubstr(one.message)));
  }
}

TEST(ImageSet, SaysWhichFileIsMissing) {
  const TestFolder folder;
  write_set(folder);
  std::filesystem::remove(folder.path(train_labels));
  EXPECT_THAT(error_of([&] { read_image_set(folder.path(""), ImageSplit::Train); }),
              HasSubstr("no train-labels-idx1-ubyte and no train-labels-idx1-ubyte.gz"));
}

TEST(ImageSet, ChoosesImagesInAnyOrder) {
  const TestFolder folder;
  write_set(folder);
  const ImageSet set = read_image_set(folder.path(""), ImageSplit::Train);
  const ImageSet chosen = select(set, std::array<std::int32_t, 3>{1, 0, 1});
  EXPECT_EQ(chosen.count, 3);
  EXPECT_EQ(chosen.width, 3);
  EXPECT_EQ(chosen.classes, 10);
  EXPECT_THAT(chosen.labels, ElementsAre(3, 9, 3));
  EXPECT_THAT(chosen.pixels, ElementsAre('d', 'e', 'f', 'a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THROW(select(set, std::array<std::int32_t, 1>{2}), InternalError);
}

TEST(ImageFolder, IsUnderTheDataOrWhereDebianPutsIt) {
  const TestFolder data;
  EXPECT_THAT(error_of([&] { image_folder("mnist", data.path("")); }),
              HasSubstr("put its four idx files there"));
  const std::filesystem::path debian = "/usr/share/datasets/fashion-mnist";
  if (std::filesystem::is_directory(debian)) {
    EXPECT_EQ(image_folder("fashion-mnist", data.path("")), debian);
  } else {
    EXPECT_THAT(error_of([&] { image_folder("fashion-mnist", data.path("")); }),
                AllOf(HasSubstr("apt install dataset-fashion-mnist"), HasSubstr(debian.string()),
                      HasSubstr(data.path("vision/fashion-mnist").string())));
  }
  for (const std::string& name : image_set_names()) {
    const auto folder = data.path("vision") / name;
    std::filesystem::create_directories(folder);
    EXPECT_EQ(image_folder(name, data.path("")), folder);
  }
  EXPECT_THAT(error_of([&] { image_folder("cifar", data.path("")); }),
              HasSubstr("no image set \"cifar\"; there are mnist, fashion-mnist"));
}

std::vector<std::int64_t> label_counts(const ImageSet& set) {
  std::vector<std::int64_t> counts(10);
  for (std::int32_t label : set.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

// Counts and pixel sums as NumPy finds them in the published files.
TEST(ImageSet, OfMnistHasTheKnownCounts) {
  const auto root = real_data();
  if (root.empty() || !std::filesystem::exists(root / "vision/mnist")) {
    GTEST_SKIP() << "no MNIST; set BASIS_DATA to the folder that holds vision/mnist";
  }
  const auto folder = image_folder("mnist", root);
  const ImageSet train = read_image_set(folder, ImageSplit::Train);
  const ImageSet test = read_image_set(folder, ImageSplit::Test);
  EXPECT_EQ(train.count, 60000);
  EXPECT_EQ(test.count, 10000);
  for (const ImageSet* set : {&train, &test}) {
    EXPECT_EQ(set->height, 28);
    EXPECT_EQ(set->width, 28);
  }
  EXPECT_THAT(label_counts(train),
              ElementsAre(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949));
  EXPECT_THAT(label_counts(test),
              ElementsAre(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009));
  const auto sum = [](const ImageSet& set) {
    return std::accumulate(set.pixels.begin(), set.pixels.end(), std::int64_t{0});
  };
  EXPECT_EQ(sum(train), 1567298545);
  EXPECT_EQ(sum(test), 264923200);
}

TEST(ImageSet, OfFashionMnistHasTheKnownCounts) {
  std::filesystem::path folder;
  try {
    folder = image_folder("fashion-mnist", real_data());
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const ImageSet train = read_image_set(folder, ImageSplit::Train);
  const ImageSet test = read_image_set(folder, ImageSplit::Test);
  EXPECT_EQ(label_counts(train), std::vector<std::int64_t>(10, 6000));
  EXPECT_EQ(label_counts(test), std::vector<std::int64_t>(10, 1000));
  EXPECT_EQ(test.labels[0], 9);  // an ankle boot
}

}  // namespace
}  // namespace basis
