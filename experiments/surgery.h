#pragma once

#include "experiments/runner.h"

namespace basis {

/// The surgery stage: the change ΔW of every encoder matrix in one fine-tuning is taken apart in
/// its start's leading basis and in a random one, at several ranks, and the model with W₀ and one
/// part alone is scored on dev, all else (head, embeddings, norms, biases) as fine-tuned. Beside it
/// random changes of each part's norm, no change and the whole one. Leaves surgery.csv:
///   basis (leading, random, or "norm": a random change of the leading part's norm), part, k,
///   energy (share of Σ‖ΔW‖²_F), metric, score
StageResult run_surgery(StageContext& stage);

}  // namespace basis
