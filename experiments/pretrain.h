#pragma once

#include "experiments/runner.h"

namespace basis {

/// The pretrain stage: a BERT of our own by masked language modelling (METHODS.md 4), on the
/// synthetic language or on a corpus file, or on images (image_pretrain.h). Leaves in the stage's
/// folder
///   metrics.jsonl  every step; held-out loss and accuracy beside the unigram loss
///   model/         encoder and language head with the tokenizer, in Hugging Face's layout
StageResult run_pretrain(StageContext& stage);

}  // namespace basis
