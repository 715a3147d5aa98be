#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "data/dataset.h"
#include "data/masking.h"
#include "data/wordpiece.h"
#include "experiments/cache.h"
#include "experiments/config.h"
#include "experiments/data_root.h"

namespace basis {

// What reads text for long calls `check_stop` now and then, which stops it by throwing.

/// The tokenizer of a pretraining: the synthetic language's, of a vocabulary file, or learned from
/// `vocabulary_corpora` (data/vocabulary_trainer.h), which the cache keeps. Throws Error where a
/// file is missing or bad.
std::unique_ptr<WordPieceTokenizer> make_pretrain_tokenizer(
    const PretrainSettings& settings, std::int64_t language_seed, const DataRoot& data,
    Cache* cache, const std::function<void()>& check_stop);

SpecialIds special_ids(const WordPieceTokenizer& tokenizer);

/// Packed sequences of a corpus (data/corpus_packing.h). What is held out is the same whatever
/// `data_share` and `seed` are, but for how it is cut into pairs, which `seed` draws.
struct PretrainCorpus {
  EncodedDataset train, held_out;
};
PretrainCorpus read_pretrain_corpus(const PretrainSettings& settings, std::int64_t seed,
                                    std::int64_t language_seed, const WordPieceTokenizer& tokenizer,
                                    const DataRoot& data, const std::function<void()>& check_stop);

}  // namespace basis
