#pragma once

#include <filesystem>
#include <memory>

#include "experiments/compute.h"
#include "experiments/runner.h"
#include "nn/sequence_classifier.h"

namespace basis {

/// The folder of the model that a finetune or spectrum stage starts from: under the data root, or
/// of the pretrain stages that are its first inputs (experiments/snapshots.h). Throws Error where
/// it is missing.
std::filesystem::path start_model_folder(const StageContext& stage);

/// Of a finished finetune stage: its adapter folder or, where it trained weights themselves, its
/// model folder.
std::filesystem::path finetuned_folder(const StageInput& finetune);

/// The fine-tuning that is the stage's last input, with its adapter in the slots where it has one.
std::unique_ptr<SequenceClassifier> load_finetuned(Compute& compute, const StageContext& stage);

}  // namespace basis
