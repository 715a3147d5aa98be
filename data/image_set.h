#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace basis {

/// Grey images of one size with their classes. On the host.
struct ImageSet {
  std::int64_t count = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t classes = 0;
  std::vector<std::uint8_t> pixels;  // (count, height, width), row by row from the top; 0 is black
  std::vector<std::int32_t> labels;  // (count), in [0, classes)

  std::int64_t pixels_of_one() const { return height * width; }
  /// (height, width). `index` must be one of the set's.
  std::span<const std::uint8_t> image(std::int64_t index) const;
  std::span<std::uint8_t> image(std::int64_t index);
};

/// The images `rows` in their order; one may come twice. Throws InternalError for a row that the
/// set does not have.
ImageSet select(const ImageSet& set, std::span<const std::int32_t> rows);

/// The four files of a folder in MNIST's layout: training images and labels, then those of the test
/// split, each with .gz behind its name where it is gzipped. Throws Error where one is missing.
std::vector<std::filesystem::path> image_set_files(const std::filesystem::path& folder);

enum class ImageSplit : std::uint8_t { Train, Test };

/// Ten classes from a folder in MNIST's layout: train-images-idx3-ubyte, train-labels-idx1-ubyte,
/// t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each as it is or with .gz behind its name.
/// Throws Error with the path for a file that is missing or that read_idx_file refuses, axes that
/// are not those of images or labels, no images, counts that differ, a label above 9.
ImageSet read_image_set(const std::filesystem::path& folder, ImageSplit split);

/// Names that image_folder knows: "mnist", "fashion-mnist".
std::vector<std::string> image_set_names();

/// The folder of a set by its name: vision/NAME under the folder of data sets; for "fashion-mnist",
/// where that is not there, where Debian's package dataset-fashion-mnist puts it. Throws Error for
/// another name, and when there is no such folder, with what to do.
std::filesystem::path image_folder(const std::string& name, const std::filesystem::path& data);

}  // namespace basis
