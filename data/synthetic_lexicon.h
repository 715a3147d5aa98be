#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/philox.h"

/// The words of the synthetic language and what they mean. Internal to the synthetic language.
///
/// A meaning is a number; ids of one class are grouped, so that structure is arithmetic:
///   nouns       group of 8 = a category, 3 categories = a topic; two synonyms each
///   verbs       group of 8 = a topic; two synonyms each
///   adjectives  two groups of 8 = a topic; 2i and 2i + 1 are antonyms; two synonyms each
///   polar words of praise and of blame, shared by all topics
/// Meanings are made of features, and each feature has a common word that the corpus uses beside
/// the words that have it: a noun's topic, kind and trait, a verb's manner, an adjective's scale
/// and whether it is more or less of it, praise or blame. Tasks never use these words. Spelling
/// says nothing about meaning: stems are drawn at random, and every inflected form is a vocabulary
/// entry of its own, so that a model sees an id without parts.
namespace basis::synthetic {

inline constexpr int topic_count = 8;
inline constexpr int group_size = 8;
inline constexpr int categories_per_topic = 3;
inline constexpr int category_count = topic_count * categories_per_topic;
inline constexpr int noun_count = category_count * group_size;
inline constexpr int verb_count = topic_count * group_size;
inline constexpr int adjective_groups_per_topic = 2;
inline constexpr int adjective_count = topic_count * adjective_groups_per_topic * group_size;
inline constexpr int polar_adjective_count = 96;  // of praise, and as many of blame
inline constexpr int polar_verb_count = 24;       // of praise, and as many of blame
inline constexpr int places_per_topic = 6;
inline constexpr int name_piece_count = 24;  // first pieces, and as many second pieces
inline constexpr int synonym_count = 2;

/// Training rows of the tasks use only the first meanings of each group; dev rows use all. What the
/// other words mean must come from the corpus.
inline constexpr int shown_per_group = 2;

enum class Number : std::uint8_t { Singular, Plural };
enum class Mood : std::uint8_t { Blame, Praise };

constexpr Number other(Number number) {
  return number == Number::Singular ? Number::Plural : Number::Singular;
}
constexpr Mood other(Mood mood) {
  return mood == Mood::Praise ? Mood::Blame : Mood::Praise;
}

constexpr int category_of_noun(int noun) {
  return noun / group_size;
}
constexpr int topic_of_noun(int noun) {
  return noun / (group_size * categories_per_topic);
}
constexpr int topic_of_verb(int verb) {
  return verb / group_size;
}
constexpr int antonym_of(int adjective) {
  return adjective ^ 1;
}
/// What an adjective and its antonym measure.
constexpr int scale_of(int adjective) {
  return adjective / 2 % group_size;
}
constexpr bool is_more(int adjective) {
  return adjective % 2 == 1;
}
constexpr bool is_shown(int meaning) {
  return meaning % group_size < shown_per_group;
}

/// A word with a form for each number.
struct Inflected {
  std::string singular, plural;
  const std::string& in(Number number) const {
    return number == Number::Singular ? singular : plural;
  }
};

struct Lexicon {
  std::vector<Inflected> nouns;                  // [meaning * synonym_count + synonym]
  std::vector<Inflected> category_nouns;         // [category]: the hypernym of its eight nouns
  std::vector<Inflected> verbs;                  // [meaning * synonym_count + synonym]
  std::vector<std::string> adjectives;           // [meaning * synonym_count + synonym]
  std::vector<std::string> polar_adjectives[2];  // [Mood][index]
  std::vector<Inflected> polar_verbs[2];         // [Mood][index]
  std::vector<std::string> topic_adjectives;     // [topic]
  std::vector<std::string> kinds;                // [category % categories_per_topic]
  std::vector<std::string> traits;               // [noun % group_size]
  std::vector<std::string> manners;              // [verb % group_size]
  std::vector<std::string> scales;               // [scale_of(adjective)]
  std::vector<std::string> places;               // [topic * places_per_topic + index]
  std::vector<std::string> name_starts;          // a name is a start and an end: two word pieces
  std::vector<std::string> name_ends;            // without "##"

  /// Draws all stems; the same seed gives the same words.
  explicit Lexicon(std::uint64_t seed);

  /// WordPiece entries in order of ids, the special tokens first as in BERT.
  std::vector<std::string> vocabulary() const;
};

/// The words that every seed shares: determiners, copulas, prepositions ...
const std::vector<std::string>& function_words();

/// Purposes of random streams: what is drawn in the high byte, which one in the rest.
enum class Purpose : std::uint8_t { Lexicon = 1, Document = 2, Train = 3, Dev = 4 };
RandomStream stream_for(std::uint64_t seed, Purpose purpose, std::uint64_t index);

}  // namespace basis::synthetic
