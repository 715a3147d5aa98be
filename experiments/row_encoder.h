#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "experiments/cache.h"
#include "experiments/config.h"
#include "experiments/task_data.h"

namespace basis {

/// A task's rows as the model of a folder reads them: token ids, or patches of images.
class RowEncoder {
 public:
  /// `max_length`: of texts. `cache`, of token ids, may be null. Throws Error where the model reads
  /// text and the task is images or the other way round, where its patches are others, and as
  /// load_tokenizer does.
  RowEncoder(const std::filesystem::path& model, const TaskSettings& task, std::int64_t max_length,
             Cache* cache);

  /// Some of the rows of `data`.
  EncodedDataset encode(const std::vector<Example>& rows, const TaskData& data) const;
  /// The tokenizer's files, where the model has one, into a model folder.
  void save_tokenizer(const std::filesystem::path& folder) const;

 private:
  std::optional<WordPieceTokenizer> tokenizer_;
  std::int64_t max_length_;
  Cache* cache_;
};

}  // namespace basis
