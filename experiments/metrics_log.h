#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace basis {

using MetricValue = std::variant<std::int64_t, double, std::string>;
using MetricValues = std::vector<std::pair<std::string, MetricValue>>;

/// metrics.jsonl of a stage: a JSON object a line, `{"step": 20, "loss": 0.51, ...}`.
class MetricsLog {
 public:
  /// Opens FOLDER/metrics.jsonl for a stage that goes on after `resume_step` (0: from the start).
  /// Lines of later steps, which will come again, and a line cut short by a kill are dropped, so
  /// that an interrupted run leaves the file of one that was not, up to timings. Throws Error.
  MetricsLog(const std::filesystem::path& stage_folder, std::int64_t resume_step);

  /// Adds a line. Numbers are the shortest that read back the same; one that is not finite is null.
  void write(std::int64_t step, const MetricValues& values);

 private:
  std::filesystem::path path_;
};

}  // namespace basis
