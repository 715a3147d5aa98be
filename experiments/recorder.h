#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "experiments/stage.h"
#include "experiments/stage_store.h"

namespace basis {

/// Names with values, in order: what `basis info` prints and machine.json holds.
using Description = std::vector<std::pair<std::string, std::string>>;

/// Version, commit where it was known, compiler, flags.
Description describe_build();

/// Writes config.toml (resolved), machine.json and plan.json into the run's folder, which it makes.
/// `machine`: the backend's description.
void record_run(const StageStore& store, const Plan& plan, const Description& machine);

/// results.csv as text: a row for every finished stage of the plan but the report, with stage,
/// task, method, seed, every metric that some stage has, then sizes, speed and time. Numbers are
/// the shortest that read back the same; what a stage does not have is empty.
std::string results_csv(const StageStore& store, const Plan& plan);

/// Writes RUN/results.csv anew from the results of the stages.
void record_results(const StageStore& store, const Plan& plan);

}  // namespace basis
