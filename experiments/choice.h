#pragma once

#include "experiments/runner.h"

namespace basis {

/// How often a grid is extended at most: with half-decades two decades.
inline constexpr int most_extensions = 4;

/// The choice stage: of a method's learning rates on a task, the one whose grid stages have the
/// highest mean of the primary metric; of equal ones the lower rate. A winner on the edge extends
/// the grid: `try_rate`, the function of a grid stage, runs the next rate beyond it with every
/// seed, in folders of its own, until the winner has one on both sides. Where it has not after
/// `most_extensions`, a remark and the metric `is_on_edge` say so. Leaves choice.csv:
/// learning_rate, seed, metric, score.
StageResult run_choice(StageContext& stage, const StageFunction& try_rate);

/// What a finished choice stage chose.
double chosen_rate(const StageResult& choice);

/// The rate that continues a grid, given from the far end to the edge: 1, 3, 10, 30 after 1, 3, 10.
/// Needs two.
double next_rate(const std::vector<double>& rates);

}  // namespace basis
