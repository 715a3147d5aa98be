#pragma once

#include "experiments/runner.h"

namespace basis {

/// The choice stage: of a method's learning rates on a task, the one whose grid stages have the
/// highest mean of the primary metric; of equal ones the lower rate. Where it stands on the edge of
/// those tried, a remark and the metric `is_on_edge` say so: the grid should be wider. Leaves
/// choice.csv: learning_rate, seed, metric, score.
StageResult run_choice(StageContext& stage);

/// What a finished choice stage chose.
double chosen_rate(const StageResult& choice);

}  // namespace basis
