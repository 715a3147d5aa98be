#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "data/corpus.h"
#include "data/dataset.h"
#include "data/masking.h"

namespace basis {

/// How a corpus becomes sequences for masked language modelling.
struct PackingOptions {
  std::int64_t length = 128;  // tokens of a sequence, [CLS] and [SEP] included
  double pair_share = 0.5;    // sequences that are [CLS] a [SEP] b [SEP]
  std::uint64_t seed = 0;     // which are pairs, and where they break
  double held_out_share = 0;  // documents kept for held-out loss
  double train_share = 1;     // of the other documents; a smaller share is a subset of a larger one
  std::uint64_t subset_seed = 0;  // draws another family of nested subsets
  std::int64_t max_tokens = 0;    // stop reading once training has as many; 0: the whole corpus
};

struct PackedCorpus {
  EncodedDataset train;        // no labels (-1)
  EncodedDataset held_out;     // the same whatever train_share and seeds are
  std::int64_t documents = 0;  // that train holds
};

/// The next paragraph of a corpus, or nothing at its end: a CorpusReader, or text made as it is
/// read.
using ParagraphSource = std::function<std::optional<Paragraph>()>;

/// Ids of a text without special tokens.
using TextTokenizer = std::function<std::vector<std::int32_t>(std::string_view)>;

/// Packs documents to full length (METHODS.md 4): text runs on from paragraph to paragraph and from
/// document to document, cut every length - 2 tokens into `[CLS] a [SEP]`, or every length - 3 into
/// `[CLS] a [SEP] b [SEP]`, b the text that follows a, types 0 and 1, broken at a random token of
/// the middle half. Only the last sequence may be shorter. A document is held out, or in the
/// subset, by a hash of its first paragraph; one of more than 500 paragraphs (a corpus without
/// empty lines) goes in parts of as many. Memory: 5 bytes a token of the result, the corpus itself
/// is streamed. Throws Error for a length below 8, shares outside [0, 1], a corpus (or subset)
/// without text.
PackedCorpus pack_corpus(const ParagraphSource& corpus, const TextTokenizer& tokenizer,
                         const SpecialIds& special, const PackingOptions& options);

}  // namespace basis
