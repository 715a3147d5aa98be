#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "experiments/stage.h"

namespace basis {

/// What a finished stage says of itself: a row of results.csv. What does not apply stays 0.
struct StageResult {
  std::vector<std::pair<std::string, double>> metrics;  // the primary one first; NaN: undefined
  std::int64_t trainable = 0;                           // trained parameters outside the head
  double trainable_share = 0;        // of all parameters of the encoder (METHODS.md 1)
  double adapted_share = 0;          // of the adapted matrices alone
  std::int64_t head_parameters = 0;  // of the task head
  double tokens_per_s = 0;           // in training, real tokens
  double peak_mib = 0;               // of the process
  double seconds = 0;                // in all processes that worked on it; set by the runner
};

/// The rank that a stage's summary takes of those that it was asked for: 32, where the studies'
/// endpoints stand, or the nearest. `ranks` must not be empty.
std::int64_t summary_rank(const std::vector<std::int64_t>& ranks);

/// A metric by its name; NaN where it is none of them.
double metric_named(const StageResult& result, std::string_view name);

/// Writes result.json, the mark of a finished stage, in one step.
void write_result(const std::filesystem::path& path, const Stage& stage, const StageResult& result);

/// Reads a result.json. Throws Error when it is damaged or belongs to another stage.
StageResult read_result(const std::filesystem::path& path, const Stage& stage);

}  // namespace basis
