#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "data/synthetic_lexicon.h"

/// A reader of the synthetic language that shares no code with its writer.
namespace basis::synthetic {

/// Words and punctuation marks, as a BERT tokenizer would cut them before WordPiece.
inline std::vector<std::string> words_of(const std::string& text) {
  std::string spaced;
  for (const char c : text) {
    if (c == '.' || c == ',') spaced += ' ';
    spaced += c;
  }
  std::istringstream stream(spaced);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

inline std::vector<std::string> sentences_of(const std::string& document) {
  std::vector<std::string> sentences(1);
  for (const std::string& word : words_of(document)) {
    sentences.back() += (sentences.back().empty() ? "" : " ") + word;
    if (word == ".") sentences.emplace_back();
  }
  sentences.pop_back();
  return sentences;
}

/// Says whether every determiner fits its noun and every verb its subject.
class AgreementReader {
 public:
  explicit AgreementReader(const Lexicon& lexicon) {
    for (const auto* words : {&lexicon.nouns, &lexicon.category_nouns}) add(*words, nouns_);
    for (const auto* words : {&lexicon.verbs, &lexicon.polar_verbs[0], &lexicon.polar_verbs[1]}) {
      add(*words, verbs_);
    }
    const Number one = Number::Singular;
    const Number many = Number::Plural;
    determiners_ = {{"this", one},  {"these", many}, {"a", one},
                    {"every", one}, {"all", many},   {"no", one}};
    for (const char* word : {"is", "was"}) verbs_[word] = one;
    for (const char* word : {"are", "were"}) verbs_[word] = many;
    for (const char* word : {"it", "what", "to", "everyone", "nobody"}) nouns_[word] = one;
    for (const char* word : {"they", "people"}) nouns_[word] = many;
    for (const auto& start : lexicon.name_starts) {
      for (const auto& end : lexicon.name_ends) nouns_[start + end] = one;
    }
  }

  bool agrees(const std::string& sentence) const {
    static const std::unordered_set<std::string> prepositions = {"near", "with", "beside", "behind",
                                                                 "in",   "of",   "as"};
    std::optional<Number> determiner;
    std::optional<Number> subject;
    bool is_after_preposition = false;
    bool is_infinitive = false;
    for (const std::string& word : words_of(sentence)) {
      if (prepositions.contains(word)) is_after_preposition = true;
      if (word == "," || word == "that") {
        subject.reset();
        is_after_preposition = false;
      }
      if (const auto found = determiners_.find(word); found != determiners_.end()) {
        determiner = found->second;
      }
      if (const auto found = nouns_.find(word); found != nouns_.end()) {
        if (determiner && *determiner != found->second) return false;
        if (!subject && !is_after_preposition) subject = found->second;
        determiner.reset();
        is_after_preposition = false;
      }
      if (const auto found = verbs_.find(word); found != verbs_.end()) {
        if (!is_infinitive && subject != found->second) return false;
      }
      is_infinitive = word == "to";
    }
    return subject.has_value();
  }

  /// Words that are one lexeme in two numbers.
  bool are_numbers_of_one_word(const std::string& a, const std::string& b) const {
    static const std::unordered_map<std::string, std::string> irregular = {{"is", "are"},
                                                                           {"this", "these"}};
    for (const auto& [one, many] : irregular) {
      if ((a == one && b == many) || (a == many && b == one)) return true;
    }
    return verbs_.contains(a) && verbs_.contains(b) && (a == b + "s" || b == a + "s");
  }

 private:
  using Numbers = std::unordered_map<std::string, Number>;

  static void add(const std::vector<Inflected>& words, Numbers& numbers) {
    for (const Inflected& word : words) {
      numbers[word.singular] = Number::Singular;
      numbers[word.plural] = Number::Plural;
    }
  }

  Numbers nouns_, verbs_, determiners_;
};

}  // namespace basis::synthetic
