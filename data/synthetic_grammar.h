#pragma once

#include <optional>
#include <string>

#include "data/synthetic_lexicon.h"

/// Sentences of the synthetic language: what is said (Clause), how it is written (render), and how
/// parts are drawn (Drawer). Internal to the synthetic language.
namespace basis::synthetic {

/// The form of a noun that names it by its category's word, the hypernym. Forms 0 and 1 are the
/// synonyms.
inline constexpr int general_form = synonym_count;

struct Noun {
  int meaning = 0;
  int form = 0;
  Number number = Number::Singular;
  bool is_near = false;  // "this", "these" instead of "the"
  std::string epithet;   // an adjective before it, or empty
};

/// A verb or an adjective.
struct Word {
  int meaning = 0;
  int form = 0;
};

/// "this lovely dax near the wugs never glips the zom in the bink", "the dax is not tarip".
struct Clause {
  Noun subject;
  std::string preposition;   // of the neighbour, or empty
  Noun neighbour;            // between subject and verb: must not govern the verb
  std::string adverb;        // before the verb or the quality, or empty
  bool is_negated = false;   // "never" for a verb, "not" for an adjective
  std::optional<Word> verb;  // with an object; else the clause says a quality
  Noun object;
  Word quality;
  std::string tail;       // adverb or place, or empty
  bool is_cleft = false;  // "it is the zom that the dax glips"; needs a verb
};

/// What is wrong in an unacceptable sentence: one word has the other number.
enum class Violation : std::uint8_t { None, VerbNumber, DeterminerNumber };

/// A sentence, with its full stop. DeterminerNumber needs a subject that is near.
std::string render(const Lexicon& lexicon, const Clause& clause, Violation violation);

/// Which meanings may be drawn: all, or only those that training rows show. In the corpus a few
/// words of praise and blame are common, as in any language: they anchor the rest.
enum class Scope : std::uint8_t { Corpus, All, Shown };

/// Draws meanings and phrases from one random stream.
class Drawer {
 public:
  Drawer(const Lexicon& lexicon, RandomStream& stream, Scope scope)
      : lexicon_(&lexicon), stream_(&stream), scope_(scope) {}

  int below(int bound) {
    return static_cast<int>(stream_->below(static_cast<std::uint64_t>(bound)));
  }
  /// True in `percent` of 100 draws.
  bool chance(int percent) { return below(100) < percent; }
  Number number() { return below(2) == 0 ? Number::Singular : Number::Plural; }
  Mood mood() { return below(2) == 0 ? Mood::Blame : Mood::Praise; }

  /// One of the meanings of `groups` consecutive groups from group `first`.
  int meaning(int first, int groups);
  int topic() { return below(topic_count); }
  int noun_of_category(int category) { return meaning(category, 1); }
  int noun_of_topic(int topic) {
    return meaning(topic * categories_per_topic, categories_per_topic);
  }
  int verb_of_topic(int topic) { return meaning(topic, 1); }
  int adjective_of_topic(int topic) {
    return meaning(topic * adjective_groups_per_topic, adjective_groups_per_topic);
  }

  /// A noun or word with one of its synonyms, number and determiner drawn. In the corpus most nouns
  /// come with an epithet that says a feature of theirs.
  Noun noun(int meaning);
  Word word(int meaning) { return {meaning, below(synonym_count)}; }

  const std::string& adjective_text(const Word& word) const;
  std::string polar_adjective(Mood mood);
  const Inflected& polar_verb(Mood mood);
  /// "in the bink"
  std::string place(int topic);
  std::string name();
  /// "near", "with" ... before a noun of the topic with a number of its own.
  void add_neighbour(Clause& clause, int topic);

  /// A feature of the noun, as an epithet.
  const std::string& feature(int noun);
  /// "softly": what a verb means.
  const std::string& manner(int verb) const;
  /// "in size": what an adjective measures.
  std::string scale(int adjective) const;

  /// A sentence of praise or blame for a noun. Some say it by negating the opposite.
  std::string opinion(const Noun& noun, Mood mood);

  const Lexicon& lexicon() const { return *lexicon_; }

 private:
  /// The word, in the corpus mostly with a stress that only its mood has: "so lovely", "too ugly".
  std::string stressed(Mood mood);
  std::string quality_opinion(const Noun& noun, Mood mood);
  std::string verb_opinion(const Noun& noun, Mood mood);

  const Lexicon* lexicon_;
  RandomStream* stream_;
  Scope scope_;
};

/// The word for a noun, without its determiner.
const std::string& text_of(const Lexicon& lexicon, const Noun& noun);
/// "the dax", "these daxes".
std::string phrase_of(const Lexicon& lexicon, const Noun& noun);

}  // namespace basis::synthetic
