#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/stage_store.h"

namespace basis {

/// Where a stage of a run stands.
struct StageStatus {
  Stage stage;
  StageState state = StageState::Waiting;
  StageProgress progress;              // of one that is running or was interrupted
  double seconds = 0;                  // worked on it so far
  std::optional<double> seconds_left;  // by its own pace, or as its finished kin took; not: unknown
};

/// What `basis status` tells.
struct RunStatus {
  std::string name;
  std::vector<StageStatus> stages;

  int count(StageState state) const;
  /// Sum over stages, and whether some could not be estimated.
  double seconds_left() const;
  bool is_estimate_complete() const;
};

/// Reads a run's folder, also while another process works in it. Throws Error when it is no run.
RunStatus read_status(const std::filesystem::path& run_folder);

/// A line for the whole and one for each stage.
std::string format_status(const RunStatus& status);

}  // namespace basis
