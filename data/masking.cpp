#include "data/masking.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tensor/integer_block.h"
#include "tensor/philox.h"

namespace basis {
namespace {

constexpr std::uint32_t masking_site = 0x6d61736bu;  // "mask"; far above the sites of a model

/// A position with the 128 random bits that are its own.
struct Candidate {
  std::size_t row;  // in the packed batch
  PhiloxCounter bits;
};

bool is_drawn_before(const Candidate& a, const Candidate& b) {
  return std::pair(a.bits.word[0], a.row) < std::pair(b.bits.word[0], b.row);
}

/// Candidates [begin, end), one after the other in the text.
struct Word {
  std::size_t begin;
  std::size_t end;

  std::size_t size() const { return end - begin; }
};

/// A word of random bits as a number in [0, 1).
double unit(std::uint32_t word) {
  return word / 4294967296.0;
}

/// Word 0 decides whether a position is drawn, word 1 what becomes of it, word 2 the random id.
std::int32_t replacement(std::int32_t id, const PhiloxCounter& bits, const SpecialIds& special,
                         const MaskingOptions& options) {
  const double kind = unit(bits.word[1]);
  if (kind < options.mask_share) return special.mask;
  if (kind >= options.mask_share + options.random_share) return id;
  // Uniform to V / 2^32.
  return static_cast<std::int32_t>(
      (bits.word[2] * static_cast<std::uint64_t>(special.vocabulary)) >> 32);
}

void check(const SpecialIds& special, const MaskingOptions& options) {
  if (!(options.share > 0 && options.share <= 1 && options.mask_share >= 0 &&
        options.random_share >= 0 && options.mask_share + options.random_share <= 1 + 1e-9)) {
    throw Error(fmt::format("masking: shares {}, {} and {} are not shares", options.share,
                            options.mask_share, options.random_share));
  }
  if (special.mask < 0 || special.mask >= special.vocabulary) {
    throw Error(fmt::format("masking: [MASK] has id {} in a vocabulary of {}", special.mask,
                            special.vocabulary));
  }
  if (options.continues_word && std::ssize(*options.continues_word) != special.vocabulary) {
    throw Error(fmt::format(
        "masking: the table of words' continuations has {} ids, the vocabulary {}; make it with "
        "word_continuations of the vocabulary that the text was tokenized with",
        options.continues_word->size(), special.vocabulary));
  }
}

/// Keeps the `quota` positions with the smallest numbers: a draw without replacement.
void keep_drawn_positions(std::vector<Candidate>& candidates, std::size_t quota) {
  const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(quota) - 1;
  std::nth_element(candidates.begin(), last, candidates.end(), is_drawn_before);
  candidates.resize(quota);
}

std::vector<Word> words_of(const std::vector<Candidate>& candidates,
                           const std::vector<std::int32_t>& ids,
                           const std::vector<bool>& continues_word) {
  std::vector<Word> words;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const std::size_t row = candidates[c].row;
    const auto id = static_cast<std::size_t>(ids[row]);
    ensure(id < continues_word.size(), "ids of a batch are of the vocabulary that masks it");
    const bool is_right_after = c > 0 && candidates[c - 1].row + 1 == row;
    if (is_right_after && continues_word[id]) {
      ++words.back().end;
    } else {
      words.push_back({c, c + 1});
    }
  }
  return words;
}

/// Keeps whole words, `quota` positions at most unless no word is that short.
void keep_drawn_words(std::vector<Candidate>& candidates, std::size_t quota,
                      std::vector<Word> words) {
  std::sort(words.begin(), words.end(), [&](const Word& a, const Word& b) {
    return is_drawn_before(candidates[a.begin], candidates[b.begin]);
  });
  std::vector<Candidate> kept;
  const auto keep = [&](const Word& word) {
    for (std::size_t c = word.begin; c < word.end; ++c) kept.push_back(candidates[c]);
  };
  for (const Word& word : words) {
    if (kept.size() + word.size() <= quota) keep(word);
  }
  if (kept.empty()) keep(words.front());
  candidates = std::move(kept);
}

}  // namespace

std::vector<bool> word_continuations(std::span<const std::string> vocabulary) {
  std::vector<bool> continues_word;
  continues_word.reserve(vocabulary.size());
  for (const std::string& token : vocabulary) {
    continues_word.push_back(token.size() > 2 && token.starts_with("##"));
  }
  return continues_word;
}

HostMaskedBatch mask_batch(HostBatch batch, const SpecialIds& special,
                           const MaskingOptions& options, std::uint64_t seed, std::uint32_t draw) {
  check(special, options);
  HostMaskedBatch masked;
  const PhiloxKey key = philox_key(seed);
  std::vector<Candidate> candidates;
  std::size_t begin = 0;
  for (std::size_t b = 0; b < batch.lengths.size(); ++b) {
    const auto length = static_cast<std::size_t>(batch.lengths[b]);
    const auto example = static_cast<std::uint32_t>(batch.example_indices[b]);
    candidates.clear();
    for (std::size_t position = 0; position < length; ++position) {
      if (special.is_special(batch.ids[begin + position])) continue;
      const auto counter =
          philox_counter(static_cast<std::uint32_t>(position), example, masking_site, draw);
      candidates.push_back({begin + position, philox4x32(counter, key)});
    }
    begin += length;
    if (candidates.empty()) continue;

    const double wanted = std::round(options.share * static_cast<double>(candidates.size()));
    const auto quota = std::max<std::size_t>(1, static_cast<std::size_t>(wanted));
    if (options.continues_word) {
      keep_drawn_words(candidates, quota, words_of(candidates, batch.ids, *options.continues_word));
    } else {
      keep_drawn_positions(candidates, quota);
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& c) { return a.row < c.row; });
    for (const Candidate& candidate : candidates) {
      std::int32_t& id = batch.ids[candidate.row];
      masked.masked_rows.push_back(static_cast<std::int32_t>(candidate.row));
      masked.labels.push_back(id);
      id = replacement(id, candidate.bits, special, options);
    }
  }
  masked.batch = std::move(batch);
  return masked;
}

MaskedBatch to_device(Backend& backend, Allocator& allocator, const HostMaskedBatch& host,
                      DType compute) {
  MaskedBatch masked;
  masked.batch = to_device(backend, allocator, host.batch, compute);
  masked.batch.loss_count = std::ssize(host.labels);
  const Shape shape{std::ssize(host.labels)};
  masked.masked_rows = to_device<std::int32_t>(backend, allocator, host.masked_rows, shape);
  masked.labels = to_device<std::int32_t>(backend, allocator, host.labels, shape);
  return masked;
}

std::optional<MaskedBatch> FixedMaskedBatches::place(const HostMaskedBatch& host) {
  const Batch* batch = batches_.place(host.batch);
  if (batch == nullptr) return std::nullopt;
  IntegerBlock block;
  const BatchShape shape = shape_of(backend_, host.batch);
  const auto rows = block.add(host.masked_rows, shape.rows);
  const auto labels = block.add(host.labels, shape.rows);
  Tensor& drawn = drawn_[shape];
  if (drawn.is_empty()) {
    drawn = block.to_device(backend_, allocator_);
  } else {
    block.overwrite(backend_, drawn);
  }
  const std::int64_t count = std::ssize(host.labels);
  MaskedBatch masked{*batch, array_at(drawn, rows).rows(0, count),
                     array_at(drawn, labels).rows(0, count)};
  masked.batch.loss_count = count;
  return masked;
}

UnigramModel::UnigramModel(const EncodedDataset& training, const SpecialIds& special)
    : counts_(static_cast<std::size_t>(special.vocabulary), 1) {
  std::int64_t total = special.vocabulary;
  for (std::int32_t id : training.ids) {
    if (id < 0 || id >= special.vocabulary) {
      throw Error(
          fmt::format("unigram model: id {} in a vocabulary of {}", id, special.vocabulary));
    }
    if (special.is_special(id)) continue;
    ++counts_[static_cast<std::size_t>(id)];
    ++total;
  }
  log_total_ = std::log(static_cast<double>(total));
}

double UnigramModel::loss(std::span<const std::int32_t> labels) const {
  if (labels.empty()) throw Error("unigram model: no positions");
  double sum = 0;
  for (std::int32_t id : labels) {
    sum += log_total_ - std::log(static_cast<double>(counts_.at(static_cast<std::size_t>(id))));
  }
  return sum / static_cast<double>(labels.size());
}

double UnigramModel::accuracy(std::span<const std::int32_t> labels) const {
  if (labels.empty()) throw Error("unigram model: no positions");
  const auto frequent = std::max_element(counts_.begin(), counts_.end()) - counts_.begin();
  return static_cast<double>(std::count(labels.begin(), labels.end(), frequent)) /
         static_cast<double>(labels.size());
}

}  // namespace basis
