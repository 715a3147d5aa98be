#include "data/synthetic_lexicon.h"

#include <string_view>
#include <unordered_set>

namespace basis::synthetic {
namespace {

constexpr std::string_view consonants = "bdfgklmnprtvz";  // no s: a stem never looks inflected
constexpr std::string_view vowels = "aeiou";
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";

/// Draws spellings that no other word has. Names begin with a vowel and stems with a consonant, so
/// that no stem is the first piece of a name.
class Speller {
 public:
  explicit Speller(std::uint64_t seed) : stream_(stream_for(seed, Purpose::Lexicon, 0)) {
    used_.insert(function_words().begin(), function_words().end());
  }

  /// Consonant, vowel, one or two consonants, vowel, consonant.
  std::string stem() { return distinct(stream_.below(2) == 0 ? "cvcvc" : "cvccvc"); }
  std::string name_start() { return distinct("vcv"); }
  std::string name_end() { return distinct("cvc"); }

  Inflected noun() {
    const std::string word = stem();
    return {word, word + "s"};
  }
  Inflected verb() {
    const std::string word = stem();
    return {word + "s", word};
  }

 private:
  std::string distinct(std::string_view pattern) {
    for (;;) {
      std::string word;
      for (const char kind : pattern) {
        const std::string_view pool = kind == 'c' ? consonants : vowels;
        word += pool[stream_.below(pool.size())];
      }
      if (used_.insert(word).second) return word;
    }
  }

  RandomStream stream_;
  std::unordered_set<std::string> used_;
};

template <typename Word, typename Make>
std::vector<Word> repeat(int count, Make make) {
  std::vector<Word> words;
  words.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) words.push_back(make());
  return words;
}

void append(std::vector<std::string>& all, const std::vector<std::string>& words,
            const std::string& prefix = "") {
  for (const std::string& word : words) all.push_back(prefix + word);
}

void append(std::vector<std::string>& all, const std::vector<Inflected>& words) {
  for (const Inflected& word : words) {
    all.push_back(word.singular);
    all.push_back(word.plural);
  }
}

}  // namespace

RandomStream stream_for(std::uint64_t seed, Purpose purpose, std::uint64_t index) {
  return RandomStream(seed, (static_cast<std::uint64_t>(purpose) << 56) ^ index);
}

const std::vector<std::string>& function_words() {
  static const std::vector<std::string> words = {
      "the",     "this",   "these",  "a",      "every",    "all",   "no",   "is",
      "are",     "was",    "were",   "not",    "never",    "and",   "but",  "nor",
      "neither", "very",   "really", "truly",  "now",      "it",    "they", "that",
      "also",    "kind",   "of",     "called", "same",     "more",  "less", "so",
      "too",     "dearly", "badly",  "as",     "people",   "in",    "near", "with",
      "beside",  "behind", "to",     "what",   "everyone", "nobody"};
  return words;
}

Lexicon::Lexicon(std::uint64_t seed) {
  Speller speller(seed);
  const auto stem = [&] { return speller.stem(); };
  const auto noun = [&] { return speller.noun(); };
  const auto verb = [&] { return speller.verb(); };
  nouns = repeat<Inflected>(noun_count * synonym_count, noun);
  category_nouns = repeat<Inflected>(category_count, noun);
  verbs = repeat<Inflected>(verb_count * synonym_count, verb);
  adjectives = repeat<std::string>(adjective_count * synonym_count, stem);
  for (auto& words : polar_adjectives) words = repeat<std::string>(polar_adjective_count, stem);
  for (auto& words : polar_verbs) words = repeat<Inflected>(polar_verb_count, verb);
  topic_adjectives = repeat<std::string>(topic_count, stem);
  kinds = repeat<std::string>(categories_per_topic, stem);
  traits = repeat<std::string>(group_size, stem);
  manners = repeat<std::string>(group_size, stem);
  scales = repeat<std::string>(group_size, stem);
  places = repeat<std::string>(topic_count * places_per_topic, stem);
  name_starts = repeat<std::string>(name_piece_count, [&] { return speller.name_start(); });
  name_ends = repeat<std::string>(name_piece_count, [&] { return speller.name_end(); });
}

std::vector<std::string> Lexicon::vocabulary() const {
  std::vector<std::string> all = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ","};
  for (const char letter : letters) {
    if (letter != 'a') all.emplace_back(1, letter);  // "a" is a function word
  }
  for (const char letter : letters) all.push_back({'#', '#', letter});
  append(all, {"##ly"});
  append(all, name_starts);
  append(all, name_ends, "##");
  append(all, function_words());
  append(all, nouns);
  append(all, category_nouns);
  append(all, verbs);
  append(all, adjectives);
  for (const auto& words : polar_adjectives) append(all, words);
  for (const auto& words : polar_verbs) append(all, words);
  for (const auto* words : {&topic_adjectives, &kinds, &traits, &manners, &scales, &places}) {
    append(all, *words);
  }
  return all;
}

}  // namespace basis::synthetic
