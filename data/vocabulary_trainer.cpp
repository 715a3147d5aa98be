#include "data/vocabulary_trainer.h"

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "data/unicode.h"
#include "data/wordpiece_pass.h"
#include "tensor/error.h"

namespace basis {

/// The sink of WordSplitter.
struct VocabularyTrainer::Counter {
  void short_word(WordKey key, int length) {
    count({bytes_of(key).data(), static_cast<std::size_t>(length)}, length);
  }
  void punctuation(char symbol) { count({&symbol, 1}, 1); }
  void word(std::string_view text, std::int64_t characters) { count(text, characters); }
  void count(std::string_view text, std::int64_t characters) {
    if (characters > most_characters) return;
    const auto known = counts.find(text);
    if (known != counts.end()) {
      ++known->second;
    } else {
      counts.emplace(text, 1);
    }
  }

  decltype(VocabularyTrainer::counts_)& counts;
  std::int64_t most_characters;
};

VocabularyTrainer::VocabularyTrainer(const WordPieceOptions& options)
    : options_(options),
      splitter_(options.lowercase, options.strips_accents(), options.split_chinese) {}

void VocabularyTrainer::add(std::string_view text) {
  Counter counter{counts_, options_.max_characters_per_word};
  splitter_.split(text, 0, counter);
}

namespace {

using Symbol = std::int32_t;
using Pair = std::uint64_t;  // left symbol in the upper half

constexpr Pair pair_of(Symbol left, Symbol right) {
  return (static_cast<Pair>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}
constexpr Symbol left_of(Pair pair) {
  return static_cast<Symbol>(pair >> 32);
}
constexpr Symbol right_of(Pair pair) {
  return static_cast<Symbol>(pair & 0xffffffffu);
}

/// A word's characters, each in its bytes.
std::vector<std::string_view> characters_of(std::string_view word) {
  std::vector<std::string_view> characters;
  for (std::size_t at = 0; at < word.size();) {
    const unicode::Decoded decoded = unicode::decode(word.data() + at, word.data() + word.size());
    characters.push_back(word.substr(at, static_cast<std::size_t>(decoded.length)));
    at += static_cast<std::size_t>(decoded.length);
  }
  return characters;
}

/// The words as rows of symbols, and which pair of neighbours is the most frequent.
class Merges {
 public:
  Merges(std::vector<std::pair<std::string_view, std::int64_t>> words,
         const WordPieceOptions& options)
      : sources_(std::move(words)) {
    for (const std::string* token :
         {&options.pad, &options.unknown, &options.cls, &options.sep, &options.mask}) {
      symbol_of(*token);
    }
    // In order: neither a hash's order nor that of the text may matter.
    std::sort(sources_.begin(), sources_.end());
    add_characters();
    add_words();
    for (const auto& [pair, count] : counts_) waiting_.push({count, pair});
  }

  const std::vector<std::string>& tokens() const { return tokens_; }

  /// Makes the most frequent pair that stands at least twice a symbol; false where there is none.
  bool merge_next() {
    while (!waiting_.empty()) {
      const Candidate best = waiting_.top();
      waiting_.pop();
      const std::int64_t count = counts_.at(best.pair);
      if (count < best.count) {  // it has become rarer since it was put here
        if (count > 1) waiting_.push({count, best.pair});
        continue;
      }
      if (count < 2) return false;
      merge(best.pair);
      return true;
    }
    return false;
  }

  /// Of the text, and in how many pieces: a word that is left out is one.
  std::int64_t words() const {
    std::int64_t sum = 0;
    for (const auto& [text, count] : sources_) sum += count;
    return sum;
  }
  std::int64_t pieces() const {
    std::int64_t sum = words();
    for (const Word& word : words_) sum += word.count * (std::ssize(word.symbols) - 1);
    return sum;
  }

 private:
  struct Word {
    std::vector<Symbol> symbols;
    std::int64_t count;
  };
  struct Candidate {
    std::int64_t count;
    Pair pair;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };

  Symbol symbol_of(const std::string& token) {
    const auto [place, is_new] = ids_.try_emplace(token, static_cast<Symbol>(tokens_.size()));
    if (is_new) tokens_.push_back(token);
    return place->second;
  }

  void add_characters() {
    std::map<std::string_view, std::int64_t> counts;  // UTF-8 sorts as its code points do
    std::unordered_set<std::string> forms;
    for (const auto& [text, count] : sources_) {
      bool is_first = true;
      for (const std::string_view c : characters_of(text)) {
        counts[c] += count;
        forms.insert((is_first ? "" : "##") + std::string(c));
        is_first = false;
      }
    }
    std::vector<std::pair<std::int64_t, std::string_view>> by_count;
    for (const auto& [c, count] : counts) by_count.emplace_back(-count, c);
    std::sort(by_count.begin(), by_count.end());
    double wanted = 0;
    for (const auto& [count, c] : by_count) wanted -= static_cast<double>(count);
    wanted *= VocabularyTrainer::character_coverage;
    std::size_t kept = 0;
    for (; wanted > 0; ++kept) wanted += static_cast<double>(by_count[kept].first);
    by_count.resize(kept);
    std::sort(by_count.begin(), by_count.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
    for (const char* prefix : {"", "##"}) {
      for (const auto& [count, c] : by_count) {
        const std::string form = prefix + std::string(c);
        if (forms.contains(form)) symbol_of(form);
      }
    }
  }

  void add_words() {
    for (const auto& [text, count] : sources_) {
      Word word{{}, count};
      const std::vector<std::string_view> characters = characters_of(text);
      for (const std::string_view c : characters) {
        const auto known = ids_.find((word.symbols.empty() ? "" : "##") + std::string(c));
        if (known == ids_.end()) break;
        word.symbols.push_back(known->second);
      }
      if (word.symbols.size() < characters.size()) continue;
      words_.push_back(std::move(word));
      count_pairs(words_.size() - 1, +1, nullptr);
    }
  }

  /// Adds `sign` times a word's pairs. `touched` gets those that it has.
  void count_pairs(std::size_t place, int sign, std::vector<Pair>* touched) {
    const Word& word = words_[place];
    for (std::size_t i = 1; i < word.symbols.size(); ++i) {
      const Pair pair = pair_of(word.symbols[i - 1], word.symbols[i]);
      counts_[pair] += sign * word.count;
      if (sign < 0) continue;
      std::vector<std::uint32_t>& places = places_[pair];
      const auto at = static_cast<std::uint32_t>(place);
      if (places.empty() || places.back() != at) places.push_back(at);
      if (touched != nullptr) touched->push_back(pair);
    }
  }

  void merge(Pair pair) {
    const Symbol left = left_of(pair), right = right_of(pair);
    const std::string& tail = tokens_[static_cast<std::size_t>(right)];
    const Symbol merged = symbol_of(tokens_[static_cast<std::size_t>(left)] + tail.substr(2));
    const std::vector<std::uint32_t> places = std::move(places_[pair]);
    std::vector<Pair> touched;
    for (const std::uint32_t place : places) {
      count_pairs(place, -1, nullptr);
      std::vector<Symbol>& symbols = words_[place].symbols;
      std::size_t end = 0;
      for (std::size_t i = 0; i < symbols.size(); ++i) {
        const bool is_pair =
            i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
        symbols[end++] = is_pair ? merged : symbols[i];
        if (is_pair) ++i;
      }
      symbols.resize(end);
      count_pairs(place, +1, &touched);
    }
    // Pairs that were there before can only have become rarer, unless `merged` is in them.
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (const Pair now : touched) {
      if (left_of(now) == merged || right_of(now) == merged) waiting_.push({counts_.at(now), now});
    }
  }

  std::vector<std::pair<std::string_view, std::int64_t>> sources_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, Symbol> ids_;
  std::vector<Word> words_;
  std::unordered_map<Pair, std::int64_t> counts_;
  std::unordered_map<Pair, std::vector<std::uint32_t>> places_;  // words that have it, or had
  std::priority_queue<Candidate> waiting_;
};

}  // namespace

TrainedVocabulary VocabularyTrainer::train(std::int64_t size, const Observer& observer) const {
  if (counts_.empty()) throw Error("vocabulary: the text has no words");
  Merges merges({counts_.begin(), counts_.end()}, options_);
  const auto tokens = [&] { return static_cast<std::int64_t>(merges.tokens().size()); };
  if (tokens() > size) {
    throw Error(
        fmt::format("vocabulary: {} tokens cannot hold the special tokens and characters of the "
                    "text, which are {}; ask for more",
                    size, tokens()));
  }
  constexpr std::int64_t told_every = 256;
  for (std::int64_t told = 0; tokens() < size && merges.merge_next();) {
    if (observer && tokens() >= told + told_every) observer(told = tokens());
  }
  const std::int64_t words = merges.words();
  return {merges.tokens(), words,
          static_cast<double>(merges.pieces()) / static_cast<double>(words)};
}

}  // namespace basis
