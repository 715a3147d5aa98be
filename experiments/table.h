#pragma once

#include <string>
#include <vector>

#include "experiments/report_scores.h"
#include "experiments/stage_store.h"

namespace basis {

/// Aligned text for a terminal: a row for every method with its trainable share, the primary metric
/// of every task (times 100; mean and spread over seeds, `*` at the best), and tokens/s. Columns
/// are aligned by characters, not bytes.
std::string results_table(const Config& config, const std::vector<ReportRun>& runs);

/// The same of what a run's folder has finished.
std::string results_table(const StageStore& store, const Plan& plan);

}  // namespace basis
