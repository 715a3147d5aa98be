#include "experiments/checkpoint.h"

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "experiments/stage_store.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::string_view prefix = "step-";
constexpr const char* unfinished = "unfinished";

std::string name_of_step(std::int64_t step) {
  return fmt::format("{}{:06}", prefix, step);
}

std::optional<std::int64_t> step_of_name(std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return step;
}

void remove_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) throw Error(fmt::format("{}: cannot be removed: {}", path.string(), error.message()));
}

}  // namespace

Checkpoints::Checkpoints(const std::filesystem::path& stage_folder)
    : folder_(stage_folder / "checkpoints") {}

std::optional<Checkpoints::Checkpoint> Checkpoints::latest() const {
  std::optional<Checkpoint> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const auto step = step_of_name(entry.path().filename().string());
    if (!step || (found && found->step >= *step)) continue;
    found = Checkpoint{*step, entry.path()};
  }
  return found;
}

std::filesystem::path Checkpoints::begin() const {
  const std::filesystem::path path = folder_ / unfinished;
  remove_folder(path);
  make_folder(path);
  return path;
}

void Checkpoints::commit(std::int64_t step) const {
  const std::filesystem::path path = folder_ / name_of_step(step);
  std::error_code error;
  if (std::filesystem::exists(path, error)) {  // saved again at the step that it went on from
    remove_folder(folder_ / unfinished);
    return;
  }
  std::filesystem::rename(folder_ / unfinished, path, error);
  if (error) throw Error(fmt::format("{}: cannot be made: {}", path.string(), error.message()));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const auto other = step_of_name(entry.path().filename().string());
    if (other && *other != step) remove_folder(entry.path());
  }
}

void Checkpoints::clear() const {
  remove_folder(folder_);
}

}  // namespace basis
