#pragma once

#include <functional>

#include "experiments/compute.h"
#include "experiments/metrics_log.h"
#include "experiments/runner.h"
#include "experiments/trainer.h"
#include "optim/optimizer.h"

namespace basis {

/// What a training stage adds to the trainer's loop.
struct StageTraining {
  TrainingTask task;
  std::vector<Parameter*> parameters;
  std::function<int(const Parameter&)> group_of;
  OptimizerOptions optimizer;
  TrainerOptions trainer;  // its folder is the stage's
  /// After which numbers of steps the model is scored; it is after the last one at any rate.
  std::function<bool(std::int64_t steps_done)> evaluates_after;
  /// Scores the model into the log. After 0 steps: before the first.
  std::function<void(MetricsLog& log, std::int64_t step)> evaluate;
};

/// True after each multiple of `steps` but 0; never where that is 0.
std::function<bool(std::int64_t)> every(std::int64_t steps);

/// Trains to the end, from the stage's last checkpoint where there is one: a line in metrics.jsonl
/// and a word of progress every step. Returns real tokens/s over the steps of this process; 0 where
/// none was left. Throws as Trainer::run does.
double train_in_stage(StageContext& stage, Compute& compute, const StageTraining& training);

}  // namespace basis
