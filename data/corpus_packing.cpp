#include "data/corpus_packing.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

constexpr std::int64_t shortest_length = 8;
constexpr std::int64_t longest_document = 500;          // paragraphs
constexpr std::uint64_t held_out_purpose = 0x68656c64;  // "held": seed of the hash that splits

// Purposes of RandomStream.
constexpr std::uint64_t pack_training = 0x7061636bull << 32;  // "pack"
constexpr std::uint64_t pack_held_out = (0x7061636bull << 32) | 1;

/// Cuts a stream of tokens into sequences.
class Packer {
 public:
  Packer(const SpecialIds& special, const PackingOptions& options, std::uint64_t purpose)
      : special_(special), options_(options), random_(options.seed, purpose) {
    draw();
  }

  void add(std::span<const std::int32_t> ids) {
    for (std::int32_t id : ids) {
      text_.push_back(id);
      if (std::ssize(text_) == wanted_) flush();
    }
  }

  /// The last, shorter sequence.
  EncodedDataset finish() {
    if (!text_.empty()) flush();
    return std::move(packed_);
  }

  std::int64_t tokens() const { return packed_.token_count(); }

 private:
  /// What the next sequence will be. Two numbers a sequence, so that it depends on its place alone.
  void draw() {
    is_pair_ = random_.uniform() < options_.pair_share;
    break_at_ = 0.25 + 0.5 * random_.uniform();
    wanted_ = options_.length - (is_pair_ ? 3 : 2);
  }

  void flush() {
    const auto n = text_.size();
    std::size_t first = n;
    if (is_pair_ && n >= 4) first = static_cast<std::size_t>(break_at_ * static_cast<double>(n));
    Encoding sequence;
    sequence.ids.push_back(special_.cls);
    for (std::size_t i = 0; i < n; ++i) {
      if (i == first) close(sequence, 0);
      sequence.ids.push_back(text_[i]);
    }
    close(sequence, first < n ? 1 : 0);
    packed_.append(sequence, -1);
    text_.clear();
    draw();
  }

  /// `[SEP]` behind the ids so far; those without a type get `type`.
  void close(Encoding& sequence, std::int32_t type) const {
    sequence.ids.push_back(special_.sep);
    sequence.type_ids.resize(sequence.ids.size(), type);
  }

  const SpecialIds special_;
  const PackingOptions options_;
  RandomStream random_;
  EncodedDataset packed_;
  std::vector<std::int32_t> text_;
  std::int64_t wanted_ = 0;  // tokens of text in the next sequence
  bool is_pair_ = false;
  double break_at_ = 0;  // share of the text that is a
};

/// A text's place in [0, 1), by hash.
double place_of(std::string_view text, std::uint64_t seed) {
  return static_cast<double>(XXH3_64bits_withSeed(text.data(), text.size(), seed) >> 11) * 0x1p-53;
}

bool is_share(double value) {
  return value >= 0 && value <= 1;
}

}  // namespace

PackedCorpus pack_corpus(const ParagraphSource& corpus, const TextTokenizer& tokenizer,
                         const SpecialIds& special, const PackingOptions& options) {
  if (options.length < shortest_length) {
    throw Error(fmt::format("corpus: sequences of {} tokens, expected at least {}", options.length,
                            shortest_length));
  }
  if (!is_share(options.pair_share) || !is_share(options.held_out_share) ||
      !is_share(options.train_share)) {
    throw Error("corpus: a share is not in [0, 1]");
  }
  Packer train(special, options, pack_training);
  PackingOptions same_for_all = options;
  same_for_all.seed = 0;
  Packer held_out(special, same_for_all, pack_held_out);
  Packer* target = nullptr;
  PackedCorpus packed;
  std::int64_t paragraphs = 0;  // of the document
  while (std::optional<Paragraph> paragraph = corpus()) {
    if (options.max_tokens > 0 && train.tokens() >= options.max_tokens) break;
    if (paragraph->begins_document || ++paragraphs == longest_document) {
      paragraphs = 0;
      target = nullptr;
      if (place_of(paragraph->text, held_out_purpose) < options.held_out_share) {
        target = &held_out;
      } else if (place_of(paragraph->text, options.subset_seed) < options.train_share) {
        target = &train;
        ++packed.documents;
      }
    }
    if (target != nullptr) target->add(tokenizer(paragraph->text));
  }
  packed.train = train.finish();
  packed.held_out = held_out.finish();
  if (packed.train.size() == 0) throw Error("corpus: no text to train on");
  return packed;
}

}  // namespace basis
