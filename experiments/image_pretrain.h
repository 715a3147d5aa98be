#pragma once

#include "experiments/runner.h"

namespace basis {

/// The pretrain stage of a model of images (`task` in [pretrain]): the encoder learns to classify
/// that task's training images, or a share of them. Leaves in the stage's folder
///   metrics.jsonl  every step; loss and accuracy on the test split beside the class frequencies'
///   model/         the encoder alone: what starts from it gets a head of its own
StageResult run_image_pretrain(StageContext& stage);

}  // namespace basis
