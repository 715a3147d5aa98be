#pragma once

#include "experiments/runner.h"

namespace basis {

/// The finetune stage of a task of plain text (`corpus` in [task.NAME]): masked language modelling
/// goes on, on another corpus than the model is from, a shift of domain (arXiv 2004.10964). The
/// head is the model's own where it has one; it trains at the encoder's rate. Rows are sequences
/// packed to max_length, the same ones for every seed; what is held out of the corpus is dev. The
/// score is the share of masked tokens that come first. Leaves metrics.jsonl and model/.
StageResult run_text_finetune(StageContext& stage);

}  // namespace basis
