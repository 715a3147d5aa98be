#pragma once

#include "experiments/runner.h"

namespace basis {

/// The landscape stage (METHODS 3): the score of one fine-tuning, or of one pretraining on text,
/// around its parameters (experiments/landscape_subject.h). Leaves landscape.csv:
///   kind, place, alpha, beta, score
/// Of slices (most-case, most-case-scaled, worst-case, sft-case) place is the direction and alpha
/// how far along it; of plane, alpha and beta are along its two directions. Of noise,
/// noise-relative and noise in directions place is the draw, alpha its σ; of path, alpha is the
/// share of the way back to the start and beta σ. Three rows are of the whole: "chance" with the
/// most frequent class's or token's score, "norm" with ‖θ‖ as alpha, "centre" with the score at θ,
/// the number of moved parameters as alpha and the distance to the start as beta. What is finished
/// of it stands in the checkpoint folder, and a stage that was stopped goes on.
StageResult run_landscape(StageContext& stage);

}  // namespace basis
