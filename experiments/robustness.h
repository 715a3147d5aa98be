#pragma once

#include "experiments/runner.h"

namespace basis {

/// The robustness stage: the accuracy of one fine-tuning on rows of dev whose images are attacked
/// or noisy (nn/pixel_attack.h), with the gradients of its own model, as fine-tuned. What is drawn
/// depends on the fine-tuning's seed and the row's place in dev. Leaves robustness.csv,
///   kind (clean, pgd, noise), size (0, ε or σ in units of the pixels' range), accuracy
/// and every answer (experiments/attacked_answers.h).
StageResult run_robustness(StageContext& stage);

}  // namespace basis
