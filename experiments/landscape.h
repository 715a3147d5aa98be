#pragma once

#include "experiments/runner.h"

namespace basis {

/// The landscape stage (METHODS 3): the accuracy of one fine-tuning on dev around its parameters.
/// Moved are all parameters where it trained all (`full`), else what it trained but for the head:
/// an adapter's coefficients alone. Leaves landscape.csv:
///   kind, place, alpha, beta, score
/// of slices (most-case, most-case-scaled, worst-case, sft-case): place the direction, alpha how
/// far
///   along it; plane: alpha and beta along two directions;
/// noise, noise-relative and noise in directions: place the draw, alpha its σ;
/// path: place the draw, alpha the share of the way back to the start, beta σ;
/// of the whole: "chance" with the most frequent class's score, "norm" with ‖θ‖ as alpha, and
/// "centre" with the score at θ, and as alpha the number of moved parameters, as beta
///   the distance to the start.
/// What is finished of it stands in the checkpoint folder, and a stage that was stopped goes on.
StageResult run_landscape(StageContext& stage);

}  // namespace basis
