#include "experiments/image_data.h"

#include <algorithm>

#include "data/image_task.h"
#include "data/synthetic_images.h"
#include "experiments/contains.h"
#include "tensor/hash.h"

namespace basis {
namespace {

std::filesystem::path folder_of(const std::string& images, const DataRoot& data) {
  if (contains(image_set_names(), images)) return image_folder(images, data.folder());
  return data.require_folder(images);
}

ImageSet read_split(const Config& config, const TaskSettings& task, ImageSplit split,
                    const DataRoot& data) {
  if (task.images != "synthetic") return read_image_set(folder_of(task.images, data), split);
  const auto seed = static_cast<std::uint64_t>(config.data.rows_seed);
  // Test images come first, so that they stay the same when the training split grows.
  const std::int64_t tested = config.data.synthetic_dev_rows;
  return split == ImageSplit::Test
             ? synthetic_images(tested, seed)
             : synthetic_images(config.data.synthetic_train_rows, seed, tested);
}

}  // namespace

TaskData load_image_task(const Config& config, const TaskSettings& task, const TrainSettings& train,
                         const DataRoot& data) {
  ImageTaskOptions options;
  for (const std::string& text : task.transforms) {
    options.transforms.push_back(parse_image_transform(text));
  }
  options.seed = static_cast<std::uint64_t>(config.data.rows_seed);
  options.patch = task.patch;
  options.train_rows = train.train_rows;
  return image_task(task.name, read_split(config, task, ImageSplit::Train, data),
                    read_split(config, task, ImageSplit::Test, data), options);
}

std::string hash_of_images(const std::string& images, const DataRoot& data) {
  Hasher hasher;
  for (const auto& file : image_set_files(folder_of(images, data))) hasher.add(hash_of_file(file));
  return hasher.hex();
}

ImageCounts count_images(const Config& config, const TaskSettings& task, const DataRoot& data) {
  const ImageSet tested = read_split(config, task, ImageSplit::Test, data);
  const std::int64_t patches = patches_of_one(tested, task.patch);
  if (config.makes_rows(task.name)) return {config.data.synthetic_train_rows, patches};
  return {read_split(config, task, ImageSplit::Train, data).count, patches};
}

}  // namespace basis
