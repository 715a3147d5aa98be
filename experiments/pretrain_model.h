#pragma once

#include "experiments/compute.h"
#include "experiments/config.h"
#include "experiments/stage_result.h"
#include "experiments/trainer.h"
#include "nn/bert.h"
#include "optim/optimizer.h"

namespace basis {

// What every pretraining has of its settings, which are resolved, on text as on images.

/// Sizes, activation, dropout and first weights; how many words, types and positions there are is
/// left to who knows what is read.
BertConfig pretrained_config(const PretrainSettings& settings);
/// The same for a model that reads images of so many patches.
void set_patches(BertConfig& config, std::int64_t patch_size, std::int64_t patches);

/// Puts `positions` = "sinusoidal" in place of the random start: sines and cosines of the positions
/// (Vaswani et al., arXiv 1706.03762, section 3.5), scaled to the mean square of the other
/// embeddings.
void start_positions(Compute& compute, Bert& bert, const PretrainSettings& settings);

OptimizerOptions optimizer_options(const PretrainSettings& settings);
TrainerOptions trainer_options(const Config& config, const PretrainSettings& settings,
                               std::int64_t seed, DType dtype, std::int64_t steps);

/// What a pretraining leaves behind its last scores: `tokens` that it read, of a corpus of so many,
/// at what rate, and what it trained.
StageResult pretrain_result(const std::vector<std::pair<std::string, double>>& scores,
                            std::int64_t tokens, std::int64_t corpus_tokens, double tokens_per_s,
                            const Compute& compute, const std::vector<Parameter*>& trained);

}  // namespace basis
