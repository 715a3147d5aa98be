#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"

namespace basis {

/// The ids of a vocabulary that masking and packing must know.
struct SpecialIds {
  std::int32_t pad = 0;
  std::int32_t unknown = 0;
  std::int32_t cls = 0;
  std::int32_t sep = 0;
  std::int32_t mask = 0;
  std::int64_t vocabulary = 0;  // V

  bool is_special(std::int32_t id) const {
    return id == pad || id == unknown || id == cls || id == sep || id == mask;
  }
};

/// Masked language modelling (arXiv 1810.04805, METHODS.md 4).
struct MaskingOptions {
  double share = 0.15;        // of the tokens that are not special
  double mask_share = 0.8;    // of the drawn positions become [MASK]
  double random_share = 0.1;  // become a random id of the whole vocabulary; the rest stay
  /// (V): which ids go on with the word before them (word_continuations). With it whole words are
  /// drawn; null: positions, each for itself. Must outlive the call.
  const std::vector<bool>* continues_word = nullptr;
};

/// (V): which tokens go on with a word, "##ing". "##" alone goes on with nothing: no word has it.
std::vector<bool> word_continuations(std::span<const std::string> vocabulary);

/// A batch with some ids replaced, on the host.
struct HostMaskedBatch {
  HostBatch batch;
  std::vector<std::int32_t> masked_rows;  // (M): drawn rows of the packed batch, ascending
  std::vector<std::int32_t> labels;       // (M): the ids that stood there
};

/// The same in a backend's memory. The loss counts M rows.
struct MaskedBatch {
  Batch batch;
  Tensor masked_rows;  // (M) i32
  Tensor labels;       // (M) i32
};

/// Draws max(1, round(share * n)) positions of each sequence without replacement, n its tokens that
/// are not special (none where n = 0), as Google's code does. Every random number is Philox of
/// (seed, draw, example, position), example being the row of the set: the same sequence seen at
/// another `draw` (the step, in training) has other masks, and batching changes nothing. For
/// held-out text keep `draw` fixed, and all models are asked for the same positions.
///
/// Whole words (Google's whole-word masking): a word is a token that is not special with those
/// right after it that continue a word. Words are taken in an order drawn with the number of their
/// first position, while no more than max(1, round(share * n)) positions are drawn; a word that
/// would exceed that is skipped. Where every word does, the first of the order is taken. What
/// becomes of a position is drawn for each position, as without words.
///
/// Throws Error for shares that are none, for [MASK] beyond the vocabulary, and for a table of
/// continuations that is not of this vocabulary.
HostMaskedBatch mask_batch(HostBatch batch, const SpecialIds& special,
                           const MaskingOptions& options, std::uint64_t seed, std::uint32_t draw);

MaskedBatch to_device(Backend& backend, Allocator& allocator, const HostMaskedBatch& batch,
                      DType compute = DType::F32);

/// Masked batches that stand in one place for each BatchShape (FixedBatches), however many
/// positions are drawn.
class FixedMaskedBatches {
 public:
  FixedMaskedBatches(Backend& backend, Allocator& allocator, DType compute)
      : backend_(backend), allocator_(allocator), batches_(backend, allocator, compute) {}

  /// Puts a batch in the place of its shape; nothing where there are too many shapes. Valid until
  /// the next batch of its shape.
  std::optional<MaskedBatch> place(const HostMaskedBatch& host);

 private:
  Backend& backend_;
  Allocator& allocator_;
  FixedBatches batches_;
  std::map<BatchShape, Tensor> drawn_;  // masked rows and labels, with room for every row
};

/// How often each token that is not special occurs in the training text, one added to each: the
/// model at which one stops that has learned frequencies only.
class UnigramModel {
 public:
  /// Throws Error for an id beyond the vocabulary.
  UnigramModel(const EncodedDataset& training, const SpecialIds& special);
  /// Mean cross-entropy in nats of the given ids. Throws Error for none.
  double loss(std::span<const std::int32_t> labels) const;
  /// The share of the given ids that are the most frequent one of the training text, the first of
  /// several. Throws Error for none.
  double accuracy(std::span<const std::int32_t> labels) const;

 private:
  std::vector<std::int64_t> counts_;  // (V)
  double log_total_ = 0;
};

}  // namespace basis
