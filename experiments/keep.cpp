#include "experiments/keep.h"

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {
namespace {

namespace fs = std::filesystem;

/// Names what was removed; beside result.json.
constexpr const char* note_name = "removed.txt";

/// What `Keep::Results` leaves beside tables. The lock among it: others may hold it open.
constexpr std::array kept_names = {
    "result.json",    "metrics.jsonl",        "predictions.safetensors",
    "progress.json",  "attacked.safetensors", "products.txt",
    "snapshots.json", "steps.json",           "lock",
    note_name};

bool is_result(const fs::path& path) {
  const std::string name = path.filename().string();
  return path.extension() == ".csv" || contains(kept_names, name);
}

bool is_kept(const Stage& stage, const fs::path& path, Keep keep) {
  if (keep == Keep::Results) return is_result(path);
  return keep == Keep::All || stage.kind != StageKind::Finetune || path.filename() != "model";
}

std::vector<fs::path> removable(const StageStore& store, const Stage& stage, Keep keep) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entry(store.folder_of(stage), error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (!is_kept(stage, entry->path(), keep)) paths.push_back(entry->path());
  }
  return paths;
}

bool is_needed(const Plan& plan, const std::vector<std::size_t>& selected, const StageStore& store,
               std::size_t input) {
  for (std::size_t place = 0; place < plan.stages.size(); ++place) {
    if (!reads_files_of(plan.stages[place], input)) continue;
    const StageState state = store.state_of(plan.stages[place]);
    const bool is_selected = contains(selected, place);
    if (state == StageState::Running || (is_selected && state != StageState::Finished)) return true;
  }
  return false;
}

void remove_files(const StageStore& store, const Stage& stage, Keep keep) {
  const std::vector<fs::path> paths = removable(store, stage, keep);
  if (paths.empty()) return;
  const std::optional<StageLock> lock = store.try_lock(stage);
  if (!lock) return;
  std::string note;
  for (const fs::path& path : paths) note += path.filename().string() + "\n";
  const fs::path note_path = store.folder_of(stage) / note_name;
  if (fs::exists(note_path)) note = read_file(note_path) + note;
  write_file_atomically(note_path, note);
  std::error_code ignored;
  for (const fs::path& path : paths) fs::remove_all(path, ignored);
}

}  // namespace

Keep keep_named(const std::string& name) {
  if (name == "all") return Keep::All;
  if (name == "adapters") return Keep::Adapters;
  if (name == "results") return Keep::Results;
  throw Error(fmt::format("--keep {}: choose all, adapters or results", name));
}

void remove_unneeded(const Plan& plan, const std::vector<std::size_t>& selected,
                     const StageStore& store, Keep keep) {
  if (keep == Keep::All) return;
  for (const std::size_t place : selected) {
    const Stage& stage = plan.stages[place];
    if (stage.kind == StageKind::Report || store.state_of(stage) != StageState::Finished) continue;
    // A link is another run's stage (--reuse): its files are that run's.
    if (fs::is_symlink(store.folder_of(stage))) continue;
    if (is_needed(plan, selected, store, place)) continue;
    try {
      remove_files(store, stage, keep);
    } catch (const Error&) {
      // The disk is full, say: what cannot be noted stays, and the next stage will say why.
    }
  }
}

bool has_removed_files(const fs::path& stage_folder) {
  std::error_code error;
  return fs::exists(stage_folder / note_name, error);
}

bool reads_files_of(const Stage& stage, std::size_t input) {
  return stage.kind != StageKind::Report && contains(stage.inputs, input);
}

void forget_removal(const StageStore& store, const Stage& stage) {
  std::error_code ignored;
  fs::remove(store.folder_of(stage) / note_name, ignored);
}

std::uintmax_t folder_bytes(const fs::path& folder) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone)) continue;
    const std::uintmax_t size = entry->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

std::string format_bytes(std::uintmax_t bytes) {
  constexpr double kib = 1024;
  const auto count = static_cast<double>(bytes);
  if (count < kib * kib) return fmt::format("{:.0f} KiB", count / kib);
  if (count < kib * kib * kib) return fmt::format("{:.1f} MiB", count / (kib * kib));
  return fmt::format("{:.1f} GiB", count / (kib * kib * kib));
}

}  // namespace basis
