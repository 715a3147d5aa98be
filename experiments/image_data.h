#pragma once

#include <string>

#include "data/image_set.h"
#include "data/task.h"
#include "experiments/config.h"
#include "experiments/data_root.h"

namespace basis {

// The sets behind `images` in [task.NAME]: "synthetic", a known name, or a folder.

/// The rows of a task of images, its test split as dev, with the limit on training rows applied.
/// Throws Error where files are missing or bad, and where the patch does not fit the images.
TaskData load_image_task(const Config& config, const TaskSettings& task, const TrainSettings& train,
                         const DataRoot& data);

/// Content of a set's files; of those that are read alone. Throws Error where one is missing.
std::string hash_of_images(const std::string& images, const DataRoot& data);

/// Training images of a task and the patches of each, before any is transformed. Throws Error as
/// load_image_task does.
struct ImageCounts {
  std::int64_t images = 0;
  std::int64_t patches = 0;
};
ImageCounts count_images(const Config& config, const TaskSettings& task, const DataRoot& data);

}  // namespace basis
