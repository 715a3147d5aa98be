#pragma once

#include <optional>
#include <string>
#include <variant>

#include "experiments/runner.h"

namespace basis {

/// What a stage that runs beside others tells: how far it is, a remark, or its end.
using StageNews = std::variant<Progress, std::string, StageEnd>;

/// Where stages run beside each other.
class StageWorkers {
 public:
  virtual ~StageWorkers() = default;

  /// Starts the stage at this place in the plan. Throws Error where it cannot be started.
  virtual void start(std::size_t stage) = 0;
  struct Message {
    std::size_t stage;
    StageNews news;
  };
  /// The next message, of any stage that runs; each tells its end last, and once. Nothing after
  /// some tenths of a second without one.
  virtual std::optional<Message> wait() = 0;
  /// Asks all stages that run to save a checkpoint and end.
  virtual void interrupt() = 0;
};

/// run_stages() with up to `jobs` stages at a time: each starts once all its inputs have ended, in
/// the order of the plan. What needs no work is not started.
RunSummary run_stages_in_parallel(const Plan& plan, const std::vector<std::size_t>& selected,
                                  const StageStore& store, StageWorkers& workers,
                                  const RunServices& services, std::int64_t jobs);

}  // namespace basis
