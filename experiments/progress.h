#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/runner.h"

namespace basis {

/// "0:42", "12:05", "3:20:00".
std::string format_duration(double seconds);
/// "1,606".
std::string format_count(double value);

/// Tells on a terminal, in one line a stage that is written over, or in a log, in plain lines at
/// least 10 seconds and 5 % apart:
///
///     [3/12] finetune mrpc lora seed 0  step 120/345  loss 0.512  1,606 tokens/s  0:42 left
///     [3/12] finetune mrpc lora seed 0  resumes with 1 thread what began with 2 threads: ...
///     [3/12] finetune mrpc lora seed 0  accuracy 0.843  f1 0.887  1:05
///
/// Stages that run beside each other have a line each on a terminal, below those that have ended.
class ProgressPrinter : public RunObserver {
 public:
  /// `write` gets text as it is to appear, line ends included.
  ProgressPrinter(std::function<void(std::string_view)> write, bool is_terminal)
      : write_(std::move(write)), is_terminal_(is_terminal) {}

  void stage_started(const Stage&, std::size_t place, std::size_t count) override;
  void stage_progressed(const Stage&, const Progress&, double seconds) override;
  void stage_remarked(const Stage&, const std::string& remark) override;
  void stage_ended(const Stage&, StageOutcome, const StageResult&,
                   const std::string& message) override;

 private:
  /// Of a stage that runs.
  struct Line {
    std::string folder;         // the stage's
    std::string heading;        // "[3/12] finetune mrpc lora seed 0"
    std::string text;           // as it stands on a terminal
    bool has_progress = false;  // of this stage, below
    Progress first;             // where this process began: a resumed stage does not begin at 0
    double first_seconds = 0;
    Progress shown;
    double shown_seconds = 0;
    bool has_shown = false;
  };

  bool is_due(const Line& line, const Progress& progress, double seconds) const;
  /// That of a stage that has started.
  Line& line_of(const Stage& stage);
  /// Writes whole lines (with their ends), and on a terminal those of running stages anew below.
  void show(const std::string& whole_lines);

  std::function<void(std::string_view)> write_;
  bool is_terminal_;
  std::vector<Line> lines_;          // in the order in which stages started
  std::size_t lines_on_screen_ = 0;  // those of running stages, on a terminal
};

}  // namespace basis
