#include "experiments/plan_inputs.h"

#include <array>
#include <system_error>

#include <fmt/format.h>

#include "data/glue.h"
#include "experiments/image_data.h"
#include "tensor/error.h"
#include "tensor/hash.h"

namespace basis {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Files that are scored or trained on; test files change no number.
std::string hash_of_task_files(const std::array<TaskFile, 3>& files, const std::string& origin) {
  Hasher hasher;
  for (const TaskFile& file : files) {
    if (file.path.empty()) continue;
    if (is_file(file.path)) {
      hasher.add(hash_of_file(file.path));
    } else if (file.is_required) {
      const std::string checksum =
          file.checksum.empty() ? "" : fmt::format(", XXH3-128 {}", file.checksum);
      throw Error(
          fmt::format("{}: no such file; it is from {}{} (--data or BASIS_DATA names the "
                      "data root)",
                      file.path.string(), origin, checksum));
    }
  }
  return hasher.hex();
}

std::string hash_of_task(const std::string& name, const Config& config, const DataRoot& data) {
  const TaskSettings& settings = config.task.at(name);
  if (settings.is_images()) return hash_of_images(settings.images, data);
  if (settings.is_text()) {
    return settings.corpus == "synthetic" ? "synthetic"
                                          : hash_of_file(data.require_file(settings.corpus));
  }
  if (settings.is_own()) {
    return Hasher()
        .add(hash_of_file(data.require_file(settings.train)))
        .add(hash_of_file(data.require_file(settings.dev)))
        .hex();
  }
  const TaskSource source = glue_source(name, data.folder());
  return hash_of_task_files({source.train, source.dev, source.dev_mismatched}, source.origin);
}

std::string hash_of_model_folder(const std::string& path, const DataRoot& data) {
  const fs::path folder = data.require_folder(path);
  Hasher hasher;
  for (const char* name : {"config.json", "model.safetensors"}) {
    hasher.add(name).add(hash_of_file(data.require_file(fs::path(path) / name)));
  }
  for (const char* name : {"vocab.txt", "tokenizer_config.json", "tokenizer.json"}) {
    if (is_file(folder / name)) hasher.add(name).add(hash_of_file(folder / name));
  }
  return hasher.hex();
}

}  // namespace

StageInputs inputs_under(const Config& config, const DataRoot& data) {
  return {
      [&](const std::string& task) { return hash_of_task(task, config, data); },
      [&](const std::string& path) { return hash_of_file(data.require_file(path)); },
      [&](const std::string& path) { return hash_of_model_folder(path, data); },
  };
}

}  // namespace basis
