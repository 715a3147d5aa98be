#pragma once

#include <optional>

#include "data/dataset.h"
#include "data/task_reader.h"
#include "data/wordpiece.h"
#include "experiments/cache.h"
#include "experiments/config.h"
#include "experiments/data_root.h"

namespace basis {

/// The rows of a config's task: GLUE's, the synthetic language's, images or the user's own, with
/// the limit on training rows applied. Throws Error where files are missing or bad.
TaskData load_task(const Config& config, const std::string& name, const TrainSettings& train,
                   const DataRoot& data);

/// The same for choosing a learning rate: dev is the `rows` of [grid] behind the training rows, so
/// that what is reported on chooses nothing. Throws Error where there are not as many.
TaskData load_grid_task(const Config& config, const std::string& name, const TrainSettings& train,
                        const DataRoot& data);

/// Labels and targets change places among the rows at random: the inputs without the task.
void shuffle_labels(std::vector<Example>& rows, std::uint64_t seed);

/// A set out of the cache; nothing where it is not there. `cache` may be null.
std::optional<EncodedDataset> cached_dataset(Cache* cache, const std::string& key);
void keep_dataset(Cache* cache, const std::string& key, const EncodedDataset& dataset);

/// Rows as token ids, out of the cache where the same rows were cut by the same tokenizer before.
/// `cache` may be null.
EncodedDataset tokenize_rows(const std::vector<Example>& rows, const Task& task,
                             const WordPieceTokenizer& tokenizer, std::int64_t max_length,
                             Cache* cache);

}  // namespace basis
