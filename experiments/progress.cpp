#include "experiments/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace basis {
namespace {

constexpr double seconds_between_updates = 0.1;  // on a terminal
constexpr double seconds_between_lines = 10;     // in a log
constexpr std::int64_t lines_a_stage = 20;       // 5 % apart
constexpr const char* clear_line = "\r\x1b[K";

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string format_count(double value) {
  std::string text = fmt::format("{:.0f}", std::abs(value));
  for (std::size_t place = text.size(); place > 3;) {
    place -= 3;
    text.insert(place, 1, ',');
  }
  return value < 0 ? fmt::format("-{}", text) : text;
}

void ProgressPrinter::stage_started(const Stage& stage, std::size_t place, std::size_t count) {
  heading_ = fmt::format("[{}/{}] {}", place + 1, count, stage.label);
  has_progress_ = has_shown_ = false;
  if (is_terminal_) write_(fmt::format("{}{}", clear_line, heading_));
}

bool ProgressPrinter::is_due(const Progress& progress, double seconds) const {
  if (is_terminal_) return !has_shown_ || seconds - shown_seconds_ >= seconds_between_updates;
  const double since = seconds - (has_shown_ ? shown_seconds_ : 0);
  const std::int64_t steps = progress.step - (has_shown_ ? shown_ : first_).step;
  return since >= seconds_between_lines && steps * lines_a_stage >= progress.steps;
}

void ProgressPrinter::stage_progressed(const Stage&, const Progress& progress, double seconds) {
  if (!has_progress_) {
    has_progress_ = true;
    first_ = progress;
    first_seconds_ = seconds;
  }
  if (!is_due(progress, seconds)) return;
  has_shown_ = true;
  shown_ = progress;
  shown_seconds_ = seconds;

  std::string line = fmt::format("{}  step {}/{}", heading_, progress.step, progress.steps);
  if (std::isfinite(progress.loss)) line += fmt::format("  loss {:.4g}", progress.loss);
  if (progress.tokens_per_s > 0) {
    line += fmt::format("  {} tokens/s", format_count(progress.tokens_per_s));
  }
  const std::int64_t done = progress.step - first_.step;
  if (done > 0 && progress.steps > progress.step) {
    const double pace = (seconds - first_seconds_) / static_cast<double>(done);
    const double left = pace * static_cast<double>(progress.steps - progress.step);
    line += fmt::format("  {} left", format_duration(left));
  }
  write_(is_terminal_ ? fmt::format("{}{}", clear_line, line) : fmt::format("{}\n", line));
}

void ProgressPrinter::stage_remarked(const Stage&, const std::string& remark) {
  write_(fmt::format("{}{}  {}\n", is_terminal_ ? clear_line : "", heading_, remark));
}

void ProgressPrinter::stage_ended(const Stage&, StageOutcome outcome, const StageResult& result,
                                  const std::string& message) {
  std::string line = heading_;
  switch (outcome) {
    case StageOutcome::Computed:
    case StageOutcome::Reused:
      for (const auto& [name, value] : result.metrics)
        line += fmt::format("  {} {:.4g}", name, value);
      line += outcome == StageOutcome::Reused
                  ? "  (finished before)"
                  : fmt::format("  {}", format_duration(result.seconds));
      break;
    case StageOutcome::Failed:
      line += fmt::format("  FAILED: {}", message);
      break;
    case StageOutcome::Skipped:
    case StageOutcome::Busy:
      line += fmt::format("  left out: {}", message);
      break;
    case StageOutcome::Interrupted:
      line += "  interrupted";
      break;
  }
  write_(fmt::format("{}{}\n", is_terminal_ ? clear_line : "", line));
}

}  // namespace basis
