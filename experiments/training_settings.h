#pragma once

#include "experiments/config.h"
#include "experiments/metrics_log.h"
#include "experiments/trainer.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "spectral/adapter_method.h"

namespace basis {

// From the words of a config to the types of optim and spectral.

/// `kind`: "linear", "cosine" or "constant".
Schedule schedule_of(const std::string& kind, double warmup_share, std::int64_t total_steps);
/// `name`: "none", "sam" or "go".
PerturbationOptions perturbation_options(const std::string& name, double size, bool is_relative);
OptimizerOptions optimizer_options(const TrainSettings& train);
/// Of a fine-tuning of so many steps, but for its learning rates.
TrainerOptions trainer_options(const Config& config, const TrainSettings& train, std::int64_t seed,
                               DType dtype, std::int64_t steps);
AdapterMethod adapter_method(const MethodSettings& settings, std::int64_t seed,
                             std::int64_t tokens_per_step);

/// A step's line in metrics.jsonl.
MetricValues metrics_of(const StepReport& report);

/// 0 for the encoder and adapters, 1 for the head, 2 for Curvature Tuning's β and c.
int learning_rate_group(const Parameter& parameter);

}  // namespace basis
