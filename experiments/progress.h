#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

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
/// Where stages run beside each other, as in a log.
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
    std::string heading;        // "[3/12] finetune mrpc lora seed 0"
    bool has_progress = false;  // of this stage, below
    Progress first;             // where this process began: a resumed stage does not begin at 0
    double first_seconds = 0;
    Progress shown;
    double shown_seconds = 0;
    bool has_shown = false;
  };

  bool is_due(const Line& line, const Progress& progress, double seconds) const;

  std::function<void(std::string_view)> write_;
  bool is_terminal_;
  std::map<std::string, Line> lines_;  // by folder: stages run beside each other
};

}  // namespace basis
