#pragma once

#include <map>
#include <string>

#include "experiments/data_root.h"
#include "experiments/image_data.h"
#include "experiments/stage.h"
#include "nn/bert_config.h"

namespace basis {

/// What a plan will cost, before anything is read in full: for `basis run --dry-run`.
class WorkEstimate {
 public:
  /// Reads sizes of the models and of the tasks' training files. Throws Error where they are
  /// missing.
  WorkEstimate(const Plan& plan, const DataRoot& data);

  /// Parameters of a model's encoder with its embeddings.
  std::int64_t parameters(const std::string& model) const;
  /// Floating-point operations of a stage's products in training, forward and backward (METHODS.md
  /// 4 for pretraining); the length of a text is guessed from its bytes. 0 for spectra and reports,
  /// and for a pretraining by minutes.
  double flop(const Stage& stage) const;

 private:
  double pretrain_flop(const Stage& stage) const;
  double finetune_flop(const Stage& stage) const;
  BertConfig read_size(const std::string& model) const;
  void count_all_images();

  const Plan& plan_;
  const DataRoot& data_;
  std::map<std::string, BertConfig> sizes_;    // by model
  std::map<std::string, ImageCounts> images_;  // by task of images
};

}  // namespace basis
