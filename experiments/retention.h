#pragma once

#include "experiments/runner.h"

namespace basis {

/// The retention stage: how much of a full fine-tuning's score another task leaves. The fine-tuned
/// encoder trains on the task of [retention] under a new head, every method's with the same
/// settings; then the first task's head is put back on it. Leaves metrics.jsonl of that training
/// and, as metrics, the first task's primary score on dev before and after (score_before,
/// score_after), what the most frequent class scores there (chance), the other task's primary score
/// (other_score), and the share of the score above chance that is left: kept = (after - chance) /
/// (before - chance), NaN where the score was not above chance.
StageResult run_retention(StageContext& stage);

}  // namespace basis
