#include "data/image_set.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/idx_file.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t class_count = 10;  // of MNIST and the sets in its layout

const std::filesystem::path debian_fashion_mnist = "/usr/share/datasets/fashion-mnist";

/// `name` in the folder, plain or gzipped.
std::filesystem::path find_file(const std::filesystem::path& folder, const std::string& name) {
  for (const std::string& each : {name, name + ".gz"}) {
    if (std::filesystem::exists(folder / each)) return folder / each;
  }
  throw Error(fmt::format("{}: no {} and no {}.gz", folder.string(), name, name));
}

struct SplitFiles {
  std::filesystem::path images, labels;
};

SplitFiles files_of(const std::filesystem::path& folder, ImageSplit split) {
  const std::string prefix = split == ImageSplit::Train ? "train" : "t10k";
  return {find_file(folder, prefix + "-images-idx3-ubyte"),
          find_file(folder, prefix + "-labels-idx1-ubyte")};
}

/// The array of the file, which must have so many axes and something in it.
IdxArray read_array(const std::filesystem::path& path, std::int64_t axes, const char* meaning) {
  IdxArray array = read_idx_file(path);
  if (std::ssize(array.sizes) != axes) {
    throw Error(fmt::format("{}: {} axes ({}), expected {} of {}", path.string(),
                            array.sizes.size(), fmt::join(array.sizes, " x "), axes, meaning));
  }
  if (array.values.empty()) {
    throw Error(
        fmt::format("{}: no {} ({})", path.string(), meaning, fmt::join(array.sizes, " x ")));
  }
  return array;
}

void check_labels(const std::vector<std::uint8_t>& labels, const std::filesystem::path& path) {
  const auto wrong = std::find_if(labels.begin(), labels.end(),
                                  [](std::uint8_t label) { return label >= class_count; });
  if (wrong == labels.end()) return;
  throw Error(fmt::format("{}: label {} of image {} (from 0), expected 0 to {}", path.string(),
                          *wrong, wrong - labels.begin(), class_count - 1));
}

}  // namespace

std::span<const std::uint8_t> ImageSet::image(std::int64_t index) const {
  return std::span(pixels).subspan(static_cast<std::size_t>(index * pixels_of_one()),
                                   static_cast<std::size_t>(pixels_of_one()));
}

std::span<std::uint8_t> ImageSet::image(std::int64_t index) {
  return std::span(pixels).subspan(static_cast<std::size_t>(index * pixels_of_one()),
                                   static_cast<std::size_t>(pixels_of_one()));
}

ImageSet select(const ImageSet& set, std::span<const std::int32_t> rows) {
  ImageSet chosen{std::ssize(rows), set.height, set.width, set.classes, {}, {}};
  chosen.pixels.reserve(static_cast<std::size_t>(chosen.count * set.pixels_of_one()));
  chosen.labels.reserve(rows.size());
  for (std::int32_t row : rows) {
    ensure(row >= 0 && row < set.count, "select: rows of the set");
    const auto image = set.image(row);
    chosen.pixels.insert(chosen.pixels.end(), image.begin(), image.end());
    chosen.labels.push_back(set.labels[static_cast<std::size_t>(row)]);
  }
  return chosen;
}

std::vector<std::filesystem::path> image_set_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const ImageSplit split : {ImageSplit::Train, ImageSplit::Test}) {
    const SplitFiles of = files_of(folder, split);
    files.insert(files.end(), {of.images, of.labels});
  }
  return files;
}

ImageSet read_image_set(const std::filesystem::path& folder, ImageSplit split) {
  const auto [images_path, labels_path] = files_of(folder, split);
  IdxArray images = read_array(images_path, 3, "images, rows and columns");
  const IdxArray labels = read_array(labels_path, 1, "labels");
  if (images.sizes[0] != labels.sizes[0]) {
    throw Error(fmt::format("{}: {} labels for the {} images of {}", labels_path.string(),
                            labels.sizes[0], images.sizes[0], images_path.string()));
  }
  check_labels(labels.values, labels_path);
  return {images.sizes[0], images.sizes[1],          images.sizes[2],
          class_count,     std::move(images.values), {labels.values.begin(), labels.values.end()}};
}

std::vector<std::string> image_set_names() {
  return {"mnist", "fashion-mnist"};
}

std::filesystem::path image_folder(const std::string& name, const std::filesystem::path& data) {
  const std::vector<std::string> names = image_set_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw Error(fmt::format("no image set \"{}\"; there are {}", name, fmt::join(names, ", ")));
  }
  const std::filesystem::path folder = data / "vision" / name;
  if (std::filesystem::is_directory(folder)) return folder;
  if (name != "fashion-mnist") {
    throw Error(
        fmt::format("{}: no folder {}; put its four idx files there", name, folder.string()));
  }
  if (std::filesystem::is_directory(debian_fashion_mnist)) return debian_fashion_mnist;
  throw Error(
      fmt::format("{}: no folder {}, nor {}; put its four idx files into the first, or on Debian: "
                  "apt install dataset-fashion-mnist",
                  name, folder.string(), debian_fashion_mnist.string()));
}

}  // namespace basis
