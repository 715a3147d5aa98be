#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "experiments/parallel_runner.h"

namespace basis {

/// A line of JSON, without its end. Of a StageEnd's result only the time goes along: the rest
/// stands in the stage's result.json.
std::string format_news(const StageNews& news);

/// Nothing where the line is something else that a process wrote.
std::optional<StageNews> parse_news(const std::string& line);

/// Writes what happens to a stage as lines for another process: progress ten times a second at
/// most.
class NewsWriter : public RunObserver {
 public:
  explicit NewsWriter(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

  void stage_started(const Stage&, std::size_t, std::size_t) override {}
  void stage_progressed(const Stage&, const Progress&, double seconds) override;
  void stage_remarked(const Stage&, const std::string& remark) override;
  void stage_ended(const Stage&, StageOutcome, const StageResult&, const std::string&) override {}
  /// stage_ended() in full.
  void write_end(const StageEnd& end);

 private:
  std::function<void(std::string_view)> write_;
  std::optional<double> told_seconds_;
};

}  // namespace basis
