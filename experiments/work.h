#pragma once

#include "experiments/data_root.h"
#include "experiments/stage.h"

namespace basis {

/// What a plan will cost, before anything is read in full: for `basis run --dry-run`.
class WorkEstimate {
 public:
  /// Reads sizes of the model and of the tasks' training files. Throws Error where they are
  /// missing.
  WorkEstimate(const Plan& plan, const DataRoot& data);

  /// Parameters of the encoder with its embeddings.
  std::int64_t parameters() const { return parameters_; }
  /// Floating-point operations of a stage's products in training, forward and backward (METHODS.md
  /// 4 for pretraining); the length of a text is guessed from its bytes. 0 for spectra and reports.
  double flop(const Stage& stage) const;

 private:
  double finetune_flop(const Stage& stage) const;

  const Plan& plan_;
  const DataRoot& data_;
  std::int64_t layers_ = 0;        // N
  std::int64_t hidden_ = 0;        // H
  std::int64_t intermediate_ = 0;  // F
  std::int64_t vocabulary_ = 0;    // V
  std::int64_t parameters_ = 0;
};

}  // namespace basis
