#include "experiments/progress.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

constexpr double seconds_between_updates = 0.1;  // on a terminal
constexpr double seconds_between_lines = 10;     // in a log
constexpr std::int64_t lines_a_stage = 20;       // 5 % apart
// Of terminals (ECMA-48); a line that is too long is cut, where a second row would be counted
// wrong.
constexpr const char* clear_line = "\r\x1b[K";
constexpr const char* cut_long_lines = "\x1b[?7l";
constexpr const char* wrap_long_lines = "\x1b[?7h";

/// From the end of the last of so many lines to the beginning of the first, and all of them away.
std::string clear_lines(std::size_t lines) {
  if (lines <= 1) return clear_line;
  return fmt::format("\r\x1b[{}A\x1b[J", lines - 1);
}

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

ProgressPrinter::Line& ProgressPrinter::line_of(const Stage& stage) {
  const auto found = std::find_if(lines_.begin(), lines_.end(),
                                  [&](const Line& line) { return line.folder == stage.folder; });
  ensure(found != lines_.end(), "a stage has started before anything else is told of it");
  return *found;
}

void ProgressPrinter::show(const std::string& whole_lines) {
  if (!is_terminal_) {
    if (!whole_lines.empty()) write_(whole_lines);
    return;
  }
  std::string text = clear_lines(lines_on_screen_) + whole_lines;
  const bool are_many = lines_.size() > 1;
  if (are_many) text += cut_long_lines;
  for (std::size_t i = 0; i < lines_.size(); ++i) text += (i > 0 ? "\n" : "") + lines_[i].text;
  if (are_many) text += wrap_long_lines;
  lines_on_screen_ = lines_.size();
  write_(text);
}

void ProgressPrinter::stage_started(const Stage& stage, std::size_t place, std::size_t count) {
  Line line;
  line.folder = stage.folder;
  line.heading = fmt::format("[{}/{}] {}", place + 1, count, stage.label);
  line.text = line.heading;
  lines_.push_back(std::move(line));
  show("");
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
  Line& own = line_of(stage);
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
  own.text = line;
  show(is_terminal_ ? "" : line + "\n");
}

void ProgressPrinter::stage_remarked(const Stage& stage, const std::string& remark) {
  show(fmt::format("{}  {}\n", line_of(stage).heading, remark));
}

void ProgressPrinter::stage_ended(const Stage& stage, StageOutcome outcome,
                                  const StageResult& result, const std::string& message) {
  std::string line = line_of(stage).heading;
  std::erase_if(lines_, [&](const Line& one) { return one.folder == stage.folder; });
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
  show(line + "\n");
}

}  // namespace basis
