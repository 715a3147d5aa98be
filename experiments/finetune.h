#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/compute.h"
#include "experiments/runner.h"
#include "nn/sequence_classifier.h"

namespace basis {

/// A training of a classifier: from which model folder, on which task, and how.
struct FinetuneJob {
  std::filesystem::path start;
  std::string task;
  MethodSettings method;
  TrainSettings train;
};

/// What such a training has made, while its memory lasts.
struct TrainedClassifier {
  Compute& compute;
  const ComputeDType& dtype;
  SequenceClassifier& model;
  const std::vector<std::pair<std::string, double>>& scores;  // on dev, primary first
};

/// Trains within a stage, from its last checkpoint where there is one, scores dev and hands the
/// model to `use`. Leaves metrics.jsonl. Throws Error as the finetune stage does.
StageResult train_classifier(StageContext& stage, const FinetuneJob& job,
                             const std::function<void(const TrainedClassifier&)>& use);

/// The finetune stage: reads a task into packed batches, loads a model, fills its adapter slots,
/// trains and scores it on dev. Leaves in the stage's folder
///   metrics.jsonl         every step
///   predictions.safetensors  logits of dev (n, outputs), for statistics over rows
///   model/                the fine-tuned model (full, bitfit), or
///   adapter/              the adapter with its head (every other method)
StageResult run_finetune(StageContext& stage);

}  // namespace basis
