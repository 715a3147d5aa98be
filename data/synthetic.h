#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/task.h"

namespace basis {

namespace synthetic {
struct Lexicon;
}

struct SyntheticOptions {
  std::uint64_t seed = 0;
  std::int64_t train_rows = 2000;
  std::int64_t dev_rows = 1000;
};

/// A small world made from a seed: about 2,500 words (1,700 of them vocabulary entries, the names
/// and adverbs of two pieces), a corpus of any length, and five tasks in GLUE's forms. Same seed,
/// same bits on every machine.
///
/// Spelling tells nothing and training rows show a quarter of the meanings, dev rows all of them:
/// what the other words mean (topic, synonyms, hypernyms, antonyms, praise or blame, number) must
/// be learned from the corpus, by masked language modelling say.
class SyntheticLanguage {
 public:
  explicit SyntheticLanguage(std::uint64_t seed);

  /// WordPiece entries in order of ids: [PAD] [UNK] [CLS] [SEP] [MASK], letters, pieces, words.
  std::vector<std::string> vocabulary() const;

  /// The index-th document: two paragraphs of four sentences on one topic, a line each, about 70
  /// tokens. A pure function of (seed, index): a range of indices is a split.
  std::string document(std::uint64_t index) const;

  /// "synthetic-acceptability" (Matthews), "-sentiment" (accuracy), "-paraphrase" (F1, accuracy),
  /// "-similarity" (0..5; Pearson, Spearman), "-entailment" (three classes, accuracy).
  std::vector<std::string> task_names() const;

  /// The rows of a task. No sentence of dev stands in train, no row stands twice, classes take
  /// turns. Dev does not depend on `train_rows`.
  /// Throws Error when the name is unknown, a count is negative, or the language has too few
  /// sentences for so many rows.
  TaskData task(const std::string& name, const SyntheticOptions& options) const;

 private:
  std::uint64_t seed_;
  std::shared_ptr<const synthetic::Lexicon> lexicon_;
};

}  // namespace basis
