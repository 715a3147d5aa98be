#pragma once

#include "experiments/runner.h"

namespace basis {

/// The finetune stage: reads a task into packed batches, loads a model, fills its adapter slots,
/// trains and scores it on dev. Leaves in the stage's folder
///   metrics.jsonl         every step
///   predictions.safetensors  logits of dev (n, outputs), for statistics over rows
///   model/                the fine-tuned model (full, bitfit), or
///   adapter/              the adapter with its head (every other method)
StageResult run_finetune(StageContext& stage);

}  // namespace basis
