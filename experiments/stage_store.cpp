#include "experiments/stage_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "experiments/keep.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

constexpr const char* lock_name = "lock";
constexpr const char* result_name = "result.json";
constexpr const char* progress_name = "progress.json";

struct flock whole_file() {
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

}  // namespace

// Locks of the open file, not of the process: `basis status` can ask for them without taking them.
std::optional<StageLock> StageLock::try_lock(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw Error(fmt::format("{}: cannot be made: {}", file.string(), std::strerror(errno)));
  }
  StageLock lock(descriptor);
  struct flock whole = whole_file();
  if (fcntl(descriptor, F_OFD_SETLK, &whole) == 0) return lock;
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  throw Error(fmt::format("{}: cannot be locked: {}", file.string(), std::strerror(errno)));
}

bool StageLock::is_locked(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  struct flock whole = whole_file();
  const bool is_known = fcntl(descriptor, F_OFD_GETLK, &whole) == 0;
  close(descriptor);
  return is_known && whole.l_type != F_UNLCK;
}

StageLock::~StageLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

StageLock::StageLock(StageLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

const char* name_of(StageState state) {
  switch (state) {
    case StageState::Finished:
      return "finished";
    case StageState::Running:
      return "running";
    case StageState::Interrupted:
      return "interrupted";
    case StageState::Waiting:
      return "waiting";
  }
  return "?";
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    throw Error(fmt::format("{}: the folder cannot be made: {}", path.string(), error.message()));
  }
}

std::filesystem::path StageStore::folder_of(const Stage& stage) const {
  return run_folder_ / "stages" / stage.folder;
}

std::optional<StageResult> StageStore::result_of(const Stage& stage) const {
  const std::filesystem::path path = folder_of(stage) / result_name;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return read_result(path, stage);
}

StageProgress StageStore::progress_of(const Stage& stage) const {
  const std::filesystem::path path = folder_of(stage) / progress_name;
  StageProgress progress;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return progress;
  try {
    const JsonKeys keys = JsonKeys::read(path);
    progress.step = keys.integer("step");
    progress.steps = keys.integer("steps");
    progress.seconds = keys.number("seconds");
  } catch (const Error&) {
    return {};  // only an estimate hangs on it
  }
  return progress;
}

StageState StageStore::state_of(const Stage& stage) const {
  const std::filesystem::path folder = folder_of(stage);
  std::error_code error;
  if (std::filesystem::exists(folder / result_name, error)) return StageState::Finished;
  if (!std::filesystem::exists(folder / lock_name, error)) return StageState::Waiting;
  return StageLock::is_locked(folder / lock_name) ? StageState::Running : StageState::Interrupted;
}

std::optional<StageLock> StageStore::try_lock(const Stage& stage) const {
  make_folder(folder_of(stage));
  return StageLock::try_lock(folder_of(stage) / lock_name);
}

void StageStore::write_progress(const Stage& stage, const StageProgress& progress) const {
  const Json json = Json::object(
      {{"step", progress.step}, {"steps", progress.steps}, {"seconds", progress.seconds}});
  json.write(folder_of(stage) / progress_name, Json::one_line);
}

void StageStore::finish(const Stage& stage, const StageResult& result) const {
  write_result(folder_of(stage) / result_name, stage, result);
}

std::optional<std::filesystem::path> StageStore::finished_folder(const Stage& stage,
                                                                 const Plan& plan) const {
  if (result_of(stage)) return folder_of(stage);
  for (const Stage& other : plan.stages) {
    if (other.identity == stage.identity && result_of(other)) return folder_of(other);
  }
  return std::nullopt;
}

int StageStore::reuse(const StageStore& other, const Plan& plan) const {
  std::error_code error;
  if (!std::filesystem::exists(other.run_folder() / "plan.json", error)) {
    throw Error(fmt::format("{}: not the folder of a run: it holds no plan.json",
                            other.run_folder().string()));
  }
  const Plan theirs = read_plan(other.run_folder());
  int linked = 0;
  const auto is_read_here = [&](std::size_t input) {
    return std::any_of(plan.stages.begin(), plan.stages.end(), [&](const Stage& stage) {
      return reads_files_of(stage, input) && state_of(stage) != StageState::Finished;
    });
  };
  // Whoever reads a stage's files stands behind it in the plan, and is linked before it.
  for (std::size_t place = plan.stages.size(); place-- > 0;) {
    const Stage& stage = plan.stages[place];
    if (stage.kind == StageKind::Report) continue;  // it is of all its own run's stages
    const std::filesystem::path here = folder_of(stage);
    if (std::filesystem::exists(here, error)) continue;
    const std::optional<std::filesystem::path> there = other.finished_folder(stage, theirs);
    if (!there || (has_removed_files(*there) && is_read_here(place))) continue;
    make_folder(here.parent_path());
    std::filesystem::create_directory_symlink(std::filesystem::absolute(*there), here, error);
    if (error) throw Error(fmt::format("{}: cannot link: {}", here.string(), error.message()));
    ++linked;
  }
  return linked;
}

void StageStore::remove_partial_files(const Stage& stage) const {
  std::error_code error;
  std::vector<std::filesystem::path> partial;
  std::filesystem::recursive_directory_iterator entry(folder_of(stage), error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    if (entry->path().filename().string().find(AtomicFile::temporary_mark) != std::string::npos) {
      partial.push_back(entry->path());
    }
  }
  for (const std::filesystem::path& path : partial) std::filesystem::remove(path, error);
}

void StageStore::remove_checkpoints(const Stage& stage) const {
  std::error_code ignored;
  std::filesystem::remove_all(folder_of(stage) / "checkpoints", ignored);
}

}  // namespace basis
