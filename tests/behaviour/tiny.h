#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "data/batch.h"
#include "data/batch_plan.h"
#include "experiments/trainer.h"
#include "nn/sequence_classifier.h"
#include "spectral/adapter_method.h"
#include "tensor/caching_allocator.h"

namespace basis::behaviour {

/// A processor, one thread of it or more, whose memory can be counted.
struct Machine {
  explicit Machine(int threads = 1);
  explicit Machine(std::unique_ptr<Backend> backend);

  std::unique_ptr<Backend> backend;
  CachingAllocator memory;
  Arena arena;
};

/// Pairs of the synthetic language in three classes, tokenised: 48 rows of many lengths.
const EncodedDataset& tiny_rows();

struct TinyModelOptions {
  double dropout = 0.1;
  DType dtype = DType::F32;
  std::string head = "mean";
};

/// Two layers of width 32 with two heads, from the initialiser.
std::unique_ptr<SequenceClassifier> tiny_model(Machine&, const TinyModelOptions& options = {});

/// One way to train, with the name that a failing test prints.
struct NamedMethod {
  std::string name;
  AdapterMethod method;
};

/// Every kind of method, those with several paths by each.
std::vector<NamedMethod> all_methods();
void PrintTo(const NamedMethod& method, std::ostream* out);
/// For INSTANTIATE_TEST_SUITE_P.
std::string name_of_method(const testing::TestParamInfo<NamedMethod>& info);

struct TinyTrainingOptions {
  DType dtype = DType::F32;
  std::int64_t steps = 12;
  std::int64_t batch = 8;
  std::int64_t micro_batch = 0;
  bool recomputes_layers = false;
  double learning_rate = 1e-2;
  double clip_norm = 1;
  PerturbationOptions perturbation;
  std::int64_t checkpoint_every = 0;
  std::filesystem::path folder;
  std::function<void()> after_forward = nullptr;
  std::function<void()> before_update = nullptr;
};

/// Batches, optimiser and trainer around a model, as a finetune stage has them. The same epoch
/// again and again, so that every shape has come after its six steps.
class TinyTraining {
 public:
  TinyTraining(Machine&, SequenceClassifier&, const TinyTrainingOptions& options = {});
  TinyTraining(const TinyTraining&) = delete;
  TinyTraining& operator=(const TinyTraining&) = delete;

  Trainer& trainer() { return *trainer_; }
  Optimizer& optimizer() { return *optimizer_; }
  std::int64_t steps_per_epoch() const { return plan_.size(); }

  /// Multiplies every gradient and leaves the loss as it is: a way to break one but not the other.
  double gradient_scale = 1;

 private:
  TrainingTask::Step begin_step(std::int64_t step);
  Variable loss(Context& context, std::int64_t micro_batch, double scale);

  Machine& machine_;
  SequenceClassifier& model_;
  TinyTrainingOptions options_;
  BatchPlan plan_;
  std::vector<Batch> batches_;  // of the current step
  TrainingTask task_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Trainer> trainer_;
};

/// What one step gives.
struct StepOutcome {
  double loss = 0;
  double norm = 0;
  std::map<std::string, std::vector<double>> gradients;
};

/// Step 2 of a fresh model that trains by `method`, at rest: no learning rate and no clipping,
/// which leaves the plain gradients.
StepOutcome outcome_of_step(const AdapterMethod& method, const TinyModelOptions&,
                            TinyTrainingOptions);

/// Every parameter's bytes by name.
std::map<std::string, std::string> values_of(const SequenceClassifier& model);

/// The logits of all rows, row by row, without dropout.
std::vector<float> logits_of(Machine&, const SequenceClassifier& model);

}  // namespace basis::behaviour
