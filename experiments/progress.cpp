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
  Line& line = lines_[stage.folder];
  line = {};
  line.heading = fmt::format("[{}/{}] {}", place + 1, count, stage.label);
  if (is_terminal_) write_(fmt::format("{}{}", clear_line, line.heading));
}

bool ProgressPrinter::is_due(const Line& line, const Progress& progress, double seconds) const {
  if (is_terminal_)
    return !line.has_shown || seconds - line.shown_seconds >= seconds_between_updates;
  const double since = seconds - (line.has_shown ? line.shown_seconds : 0);
  const std::int64_t steps = progress.step - (line.has_shown ? line.shown : line.first).step;
  return since >= seconds_between_lines && steps * lines_a_stage >= progress.steps;
}

void ProgressPrinter::stage_progressed(const Stage& stage, const Progress& progress,
                                       double seconds) {
  Line& own = lines_[stage.folder];
  if (!own.has_progress) {
    own.has_progress = true;
    own.first = progress;
    own.first_seconds = seconds;
  }
  if (!is_due(own, progress, seconds)) return;
  own.has_shown = true;
  own.shown = progress;
  own.shown_seconds = seconds;

  std::string line = fmt::format("{}  step {}/{}", own.heading, progress.step, progress.steps);
  if (std::isfinite(progress.loss)) line += fmt::format("  loss {:.4g}", progress.loss);
  if (progress.tokens_per_s > 0) {
    line += fmt::format("  {} tokens/s", format_count(progress.tokens_per_s));
  }
  const std::int64_t done = progress.step - own.first.step;
  if (done > 0 && progress.steps > progress.step) {
    const double pace = (seconds - own.first_seconds) / static_cast<double>(done);
    const double left = pace * static_cast<double>(progress.steps - progress.step);
    line += fmt::format("  {} left", format_duration(left));
  }
  write_(is_terminal_ ? fmt::format("{}{}", clear_line, line) : fmt::format("{}\n", line));
}

void ProgressPrinter::stage_remarked(const Stage& stage, const std::string& remark) {
  write_(fmt::format("{}{}  {}\n", is_terminal_ ? clear_line : "", lines_[stage.folder].heading,
                     remark));
}

void ProgressPrinter::stage_ended(const Stage& stage, StageOutcome outcome,
                                  const StageResult& result, const std::string& message) {
  std::string line = lines_[stage.folder].heading;
  lines_.erase(stage.folder);
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
