#include "experiments/pretrain_corpus.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "data/corpus.h"
#include "data/corpus_packing.h"
#include "data/synthetic.h"
#include "data/vocabulary_trainer.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"

namespace basis {
namespace {

std::vector<std::string> learn_vocabulary(const PretrainSettings& settings, const DataRoot& data,
                                          const std::function<void()>& check_stop) {
  constexpr std::int64_t paragraphs_a_word = 10'000;  // between two words to the observer
  VocabularyTrainer trainer;
  for (const std::string& corpus : settings.vocabulary_corpora) {
    CorpusReader reader(data.require_file(corpus));
    std::int64_t paragraphs = 0;
    while (const auto paragraph = reader.next()) {
      trainer.add(paragraph->text);
      if (++paragraphs % paragraphs_a_word == 0) check_stop();
    }
  }
  return trainer.train(settings.vocabulary_size, [&](std::int64_t) { check_stop(); }).tokens;
}

std::string key_of_vocabulary(const PretrainSettings& settings, const DataRoot& data) {
  Hasher hasher;
  hasher.add("vocabulary 1").add(settings.vocabulary_size);
  for (const std::string& corpus : settings.vocabulary_corpora) {
    hasher.add(hash_of_file(data.require_file(corpus)));
  }
  return hasher.hex();
}

std::vector<std::string> learned_vocabulary(const PretrainSettings& settings, const DataRoot& data,
                                            Cache* cache, const std::function<void()>& check_stop) {
  const std::string key = key_of_vocabulary(settings, data);
  if (const auto entry = cache == nullptr ? std::nullopt : cache->find(key)) {
    return vocabulary_of({reinterpret_cast<const char*>(entry->bytes.data()), entry->bytes.size()});
  }
  std::vector<std::string> tokens = learn_vocabulary(settings, data, check_stop);
  std::string text;
  for (const std::string& token : tokens) text += token + '\n';
  if (cache != nullptr) cache->put(key, std::as_bytes(std::span(text)));
  return tokens;
}

/// The documents [begin, end) of the synthetic language, paragraph by paragraph.
ParagraphSource synthetic_paragraphs(const SyntheticLanguage& language, std::int64_t begin,
                                     std::int64_t end) {
  struct State {
    std::int64_t document;
    std::string text;
    std::size_t place = 0;
    std::int64_t line = 0;
  };
  auto state = std::make_shared<State>(State{begin, {}, 0, 0});
  return [&language, end, state]() -> std::optional<Paragraph> {
    const bool begins = state->place >= state->text.size();
    if (begins) {
      if (state->document == end) return std::nullopt;
      state->text = language.document(static_cast<std::uint64_t>(state->document++));
      state->place = 0;
    }
    const std::size_t stop = std::min(state->text.find('\n', state->place), state->text.size());
    Paragraph paragraph{state->text.substr(state->place, stop - state->place), ++state->line,
                        begins};
    state->place = stop + 1;
    return paragraph;
  };
}

PackedCorpus pack(const ParagraphSource& source, const WordPieceTokenizer& tokenizer,
                  const PackingOptions& options) {
  const auto tokenize = [&](std::string_view text) {
    std::vector<std::int32_t> ids;
    tokenizer.tokenize(text, ids);
    return ids;
  };
  return pack_corpus(source, tokenize, special_ids(tokenizer), options);
}

PretrainCorpus read_file_corpus(const PretrainSettings& settings, PackingOptions options,
                                const WordPieceTokenizer& tokenizer, const DataRoot& data,
                                const std::function<void()>& check_stop) {
  constexpr double held_out_share = 0.01;
  constexpr std::int64_t paragraphs_a_word = 1000;
  options.held_out_share = held_out_share;
  CorpusReader reader(data.require_file(settings.corpus));
  std::int64_t paragraphs = 0;
  const auto next = [&] {
    if (++paragraphs % paragraphs_a_word == 0) check_stop();
    return reader.next();
  };
  PackedCorpus packed = pack(next, tokenizer, options);
  if (packed.held_out.size() == 0) {
    throw Error(
        fmt::format("{}: {} documents are too few to hold {:.0f} % of them out for scoring; an "
                    "empty line begins a document",
                    settings.corpus, packed.documents, 100 * held_out_share));
  }
  return {std::move(packed.train), std::move(packed.held_out)};
}

}  // namespace

std::unique_ptr<WordPieceTokenizer> make_pretrain_tokenizer(
    const PretrainSettings& settings, std::int64_t language_seed, const DataRoot& data,
    Cache* cache, const std::function<void()>& check_stop) {
  const auto make = [](std::vector<std::string> tokens, const std::string& source) {
    return std::make_unique<WordPieceTokenizer>(std::move(tokens), WordPieceOptions{}, source);
  };
  if (!settings.vocabulary.empty()) {
    const std::filesystem::path path = data.require_file(settings.vocabulary);
    return make(vocabulary_of(read_file(path)), path.string());
  }
  if (settings.learns_vocabulary()) {
    return make(learned_vocabulary(settings, data, cache, check_stop), "learned vocabulary");
  }
  const SyntheticLanguage language(static_cast<std::uint64_t>(language_seed));
  return make(language.vocabulary(), "synthetic vocabulary");
}

SpecialIds special_ids(const WordPieceTokenizer& tokenizer) {
  return {tokenizer.pad_id(), tokenizer.unknown_id(), tokenizer.cls_id(),
          tokenizer.sep_id(), tokenizer.mask_id(),    tokenizer.vocabulary_size()};
}

PretrainCorpus read_pretrain_corpus(const PretrainSettings& settings, std::int64_t seed,
                                    std::int64_t language_seed, const WordPieceTokenizer& tokenizer,
                                    const DataRoot& data, const std::function<void()>& check_stop) {
  PackingOptions options;
  options.length = settings.max_length;
  options.seed = options.subset_seed = static_cast<std::uint64_t>(seed);
  options.train_share = settings.data_share;
  if (settings.corpus != "synthetic") {
    return read_file_corpus(settings, options, tokenizer, data, check_stop);
  }
  const SyntheticLanguage language(static_cast<std::uint64_t>(language_seed));
  // Held-out documents come first, so that they stay the same when the corpus grows.
  const std::int64_t held_out = settings.held_out_documents;
  PackedCorpus train = pack(synthetic_paragraphs(language, held_out, held_out + settings.documents),
                            tokenizer, options);
  options.seed = 0;
  options.train_share = 1;
  PackedCorpus scored = pack(synthetic_paragraphs(language, 0, held_out), tokenizer, options);
  return {std::move(train.train), std::move(scored.train)};
}

}  // namespace basis
