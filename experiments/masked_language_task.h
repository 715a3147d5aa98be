#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/epochs.h"
#include "data/masking.h"
#include "experiments/compute.h"
#include "experiments/config.h"
#include "experiments/pretrain_corpus.h"
#include "experiments/trainer.h"
#include "nn/masked_language_model.h"

namespace basis {

/// Masked language modelling (METHODS.md 4) as the trainer sees it, and its score on held-out text.
/// Everything that is given must outlive it.
class MaskedLanguageTask {
 public:
  /// `seed`: of the order and the masks of training. `has_graphs`: passes may be recorded.
  MaskedLanguageTask(Compute& compute, const ComputeDType& dtype, MaskedLanguageModel& model,
                     const PretrainCorpus& corpus, const WordPieceTokenizer& tokenizer,
                     const PretrainSettings& settings, std::int64_t seed, bool has_graphs);

  TrainingTask training_task(std::int64_t steps);

  /// Of the held-out text, with masks that are the same for every seed and step.
  struct HeldOutScore {
    double loss = 0;      // mean, in nats; need not be finite
    double accuracy = 0;  // how often the right token comes first
    double unigram_loss = 0;
    double unigram_accuracy = 0;
  };
  HeldOutScore held_out_score();

  /// The first so many training sequences with masks of their own, the same each time.
  MaskedBatch training_batch(std::int64_t sequences);
  Variable mean_loss(Context& context, const MaskedBatch& masked) const;

  /// Loss and top-1 accuracy on the held-out text, beside what token frequencies alone reach there.
  /// Throws Error that names `step` where the loss is not finite.
  std::vector<std::pair<std::string, double>> score_held_out(std::int64_t step);

 private:
  TrainingTask::Step begin_step(std::int64_t step);
  void place_fixed(const HostMaskedBatch& host);
  HostMaskedBatch mask(const EncodedDataset& set, std::span<const std::int32_t> examples,
                       std::int64_t first_example, std::int64_t seed, std::uint32_t draw) const;
  MaskedBatch copied(const HostMaskedBatch& host);
  Variable logits(Context& context, const MaskedBatch& masked) const;

  Compute& compute_;
  const ComputeDType& dtype_;
  MaskedLanguageModel& model_;
  const PretrainCorpus& corpus_;
  const PretrainSettings& settings_;
  std::int64_t seed_;
  bool has_graphs_;
  SpecialIds special_;
  std::vector<bool> continues_word_;  // by id
  UnigramModel unigram_;
  Epochs epochs_;
  FixedMaskedBatches fixed_;
  std::vector<MaskedBatch> batches_;  // of the current step
  std::string name_of_pass_;          // of the current step, where it may be recorded
};

}  // namespace basis
