#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image_transforms.h"

namespace basis {

/// How a task's images come from their sets.
struct ImageTaskOptions {
  std::vector<ImageTransform> transforms;  // of both splits, one after the other
  std::uint64_t seed = 0;                  // of what transforms draw; the splits draw apart
  std::int64_t patch = 0;                  // pixels a side
  std::int64_t train_rows = 0;             // the first so many; 0: all
};

/// Classification of images: labels "0", "1", ..., metric accuracy, `dev` as dev. Pixels are
/// normalised by the whole training split as it was before transforms, so that tasks on one set
/// read its pixels on one scale. Throws Error where the splits differ in size or classes, or the
/// patch does not divide height and width.
TaskData image_task(const std::string& name, ImageSet train, ImageSet dev,
                    const ImageTaskOptions& options);

/// A fair share of the training rows, all classes alike, at least one row (data/image_subsets.h): a
/// smaller share of the same seed lies in every larger one. All of them in their order for 1.
/// Throws Error for a share outside (0, 1].
std::vector<Example> nested_rows(const TaskData& data, double share, std::uint64_t seed);

/// Rows of a task of images as patches, in order. Throws Error for no rows.
EncodedDataset encode_images(std::span<const Example> rows, const TaskImages& images);

}  // namespace basis
