#pragma once

#include "experiments/pretrain_corpus.h"

namespace basis {

/// A task of plain text in the words of a pretraining: its corpus, lengths and batches.
PretrainSettings text_settings(const Config& config, const std::string& task,
                               const TrainSettings& train);

/// The packed text of such a task, out of the cache where it was packed before; the same whatever
/// the seed. `train_rows`: the first so many sequences, 0 for all. Throws Error as
/// read_pretrain_corpus does. `cache` may be null.
PretrainCorpus load_text(const PretrainSettings& settings, std::int64_t language_seed,
                         std::int64_t train_rows, const WordPieceTokenizer& tokenizer,
                         const DataRoot& data, Cache* cache,
                         const std::function<void()>& check_stop);

}  // namespace basis
