#pragma once

#include <filesystem>
#include <optional>

#include "experiments/stage.h"
#include "experiments/stage_result.h"

namespace basis {

/// Sole right to work on a stage, among all processes, until it is destroyed or its process ends.
class StageLock {
 public:
  /// Nothing when another process has it. Throws Error when the file cannot be made.
  static std::optional<StageLock> try_lock(const std::filesystem::path& file);
  /// Does some process have it? Takes nothing.
  static bool is_locked(const std::filesystem::path& file);
  ~StageLock();
  StageLock(StageLock&& other) noexcept;
  StageLock& operator=(StageLock&&) = delete;

 private:
  explicit StageLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// How far a stage has come; RUN/stages/FOLDER/progress.json, written now and then.
struct StageProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;  // 0: not known
  double seconds = 0;      // worked on it so far, by all processes
};

enum class StageState : std::uint8_t { Finished, Running, Interrupted, Waiting };

/// "finished", "running", "interrupted", "waiting".
const char* name_of(StageState state);

/// The folders of a run's stages: RUN/stages/<kind>-<readable>-<hash>/. A stage is finished once
/// its result.json stands; whatever else lies in its folder belongs to its stage function.
class StageStore {
 public:
  /// Makes nothing yet: `basis status` reads runs of others.
  explicit StageStore(std::filesystem::path run_folder) : run_folder_(std::move(run_folder)) {}

  const std::filesystem::path& run_folder() const { return run_folder_; }
  std::filesystem::path folder_of(const Stage& stage) const;

  /// The result of a finished stage. Throws Error when its file is damaged.
  std::optional<StageResult> result_of(const Stage& stage) const;
  /// Zeros where nothing is known.
  StageProgress progress_of(const Stage& stage) const;
  StageState state_of(const Stage& stage) const;

  /// Makes the stage's folder and locks it. Nothing when another process works on it.
  std::optional<StageLock> try_lock(const Stage& stage) const;
  void write_progress(const Stage& stage, const StageProgress& progress) const;
  void finish(const Stage& stage, const StageResult& result) const;

  /// Links stages of the plan that another run has finished and this one has not, under whatever
  /// name; returns how many. One whose files --keep removed there is left where a stage that has
  /// yet to be computed here reads them. Throws Error where the other folder is no run's or a link
  /// cannot be made.
  int reuse(const StageStore& other, const Plan& plan) const;

  // Both only save room: a file that cannot be removed is left.

  /// What a killed process was writing (AtomicFile's temporaries). Only for who holds the lock.
  void remove_partial_files(const Stage& stage) const;
  /// Of a finished stage.
  void remove_checkpoints(const Stage& stage) const;

 private:
  /// Where this run has finished the stage: under its own name, or that of one of the plan's stages
  /// which is the same.
  std::optional<std::filesystem::path> finished_folder(const Stage& stage, const Plan& plan) const;

  std::filesystem::path run_folder_;
};

/// Makes a folder with its parents. Throws Error with the path and the reason.
void make_folder(const std::filesystem::path& path);

}  // namespace basis
