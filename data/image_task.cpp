#include "data/image_task.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "data/image_subsets.h"
#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

void check_alike(const std::string& name, const ImageSet& train, const ImageSet& dev) {
  if (train.height == dev.height && train.width == dev.width && train.classes == dev.classes) {
    return;
  }
  throw Error(fmt::format(
      "{}: training images of {} x {} in {} classes, test images of {} x {} in {}; "
      "both must be alike",
      name, train.height, train.width, train.classes, dev.height, dev.width, dev.classes));
}

ImageSet first_images(const ImageSet& set, std::int64_t count) {
  std::vector<std::int32_t> rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return select(set, rows);
}

void append(ImageSet& set, const ImageSet& more) {
  set.count += more.count;
  set.pixels.insert(set.pixels.end(), more.pixels.begin(), more.pixels.end());
  set.labels.insert(set.labels.end(), more.labels.begin(), more.labels.end());
}

/// A row for each of the images from `begin` on.
std::vector<Example> rows_of(const ImageSet& set, std::int64_t begin) {
  std::vector<Example> rows;
  for (std::int64_t image = begin; image < set.count; ++image) {
    Example row;
    row.image = static_cast<std::int32_t>(image);
    row.label = set.labels[static_cast<std::size_t>(image)];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

TaskData image_task(const std::string& name, ImageSet train, ImageSet dev,
                    const ImageTaskOptions& options) {
  check_alike(name, train, dev);
  patches_of_one(train, options.patch);
  TaskData data;
  data.task.name = name;
  data.task.metrics = {Metric::Accuracy};
  for (std::int64_t i = 0; i < train.classes; ++i) data.task.labels.push_back(std::to_string(i));
  data.images.patch = options.patch;
  data.images.statistics = pixel_statistics(train);
  // What is drawn for an image depends on its place alone: cut first.
  if (options.train_rows > 0 && options.train_rows < train.count) {
    train = first_images(train, options.train_rows);
  }
  const auto seed = [&](const char* split) { return hash_of_name(split, options.seed); };
  data.images.set = transformed(train, options.transforms, seed("train images"));
  data.train = rows_of(data.images.set, 0);
  append(data.images.set, transformed(dev, options.transforms, seed("test images")));
  data.dev = rows_of(data.images.set, std::ssize(data.train));
  return data;
}

std::vector<Example> nested_rows(const TaskData& data, double share, std::uint64_t seed) {
  if (!(share > 0 && share <= 1)) {
    throw Error(fmt::format("a share {} of the images asked, expected above 0, at most 1", share));
  }
  if (share == 1) return data.train;
  std::vector<std::int32_t> images;
  for (const Example& row : data.train) images.push_back(row.image);
  const std::vector<std::int32_t> order = stratified_order(select(data.images.set, images), seed);
  const auto count = static_cast<double>(order.size());
  const auto wanted = std::max<std::int64_t>(1, std::llround(share * count));
  std::vector<Example> rows;
  for (const std::int32_t place : std::span(order).first(static_cast<std::size_t>(wanted))) {
    rows.push_back(data.train[static_cast<std::size_t>(place)]);
  }
  return rows;
}

EncodedDataset encode_images(std::span<const Example> rows, const TaskImages& images) {
  if (rows.empty()) throw Error("encode: no rows");
  std::vector<std::int32_t> chosen;
  EncodedDataset dataset;
  for (const Example& row : rows) {
    chosen.push_back(row.image);
    dataset.labels.push_back(row.label);
  }
  dataset.patches = image_patches(images.set, chosen, images.patch, images.statistics);
  dataset.patch_values = images.patch * images.patch;
  dataset.offsets = equal_offsets(std::ssize(rows), patches_of_one(images.set, images.patch));
  return dataset;
}

}  // namespace basis
