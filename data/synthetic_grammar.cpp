#include "data/synthetic_grammar.h"

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis::synthetic {
namespace {

constexpr int common_count = 2;   // words of praise, and as many of blame, ...
constexpr int common_share = 35;  // ... with this percentage of the corpus's uses

constexpr int stress_share = 60;   // percentage of the corpus's polar words that have one
constexpr int epithet_share = 70;  // percentage of the corpus's nouns that have one

const std::string& text_of_word(const std::vector<std::string>& words, const Word& word) {
  return words[static_cast<std::size_t>(word.meaning * synonym_count + word.form)];
}

std::string determiner(bool is_near, Number number) {
  if (!is_near) return "the";
  return number == Number::Singular ? "this" : "these";
}

std::string copula(Number number) {
  return number == Number::Singular ? "is" : "are";
}

std::string past_copula(Number number) {
  return number == Number::Singular ? "was" : "were";
}

template <typename T>
const T& at(const std::vector<T>& items, int index) {
  return items[static_cast<std::size_t>(index)];
}

std::string subject_of(const Lexicon& lexicon, const Clause& clause, Violation violation) {
  const Noun& subject = clause.subject;
  const bool is_wrong = violation == Violation::DeterminerNumber;
  ensure(!is_wrong || subject.is_near, "a wrong determiner needs one with a number");
  std::string text = determiner(subject.is_near, is_wrong ? other(subject.number) : subject.number);
  if (!subject.epithet.empty()) text += ' ' + subject.epithet;
  text += ' ' + text_of(lexicon, subject);
  if (!clause.preposition.empty()) {
    text += fmt::format(" {} {}", clause.preposition, phrase_of(lexicon, clause.neighbour));
  }
  return text;
}

}  // namespace

const std::string& text_of(const Lexicon& lexicon, const Noun& noun) {
  const Inflected& word = noun.form == general_form
                              ? at(lexicon.category_nouns, category_of_noun(noun.meaning))
                              : at(lexicon.nouns, noun.meaning * synonym_count + noun.form);
  return word.in(noun.number);
}

std::string phrase_of(const Lexicon& lexicon, const Noun& noun) {
  return fmt::format("{} {}{}{}", determiner(noun.is_near, noun.number), noun.epithet,
                     noun.epithet.empty() ? "" : " ", text_of(lexicon, noun));
}

std::string render(const Lexicon& lexicon, const Clause& clause, Violation violation) {
  const Number number =
      violation == Violation::VerbNumber ? other(clause.subject.number) : clause.subject.number;
  const std::string subject = subject_of(lexicon, clause, violation);
  const std::string tail = clause.tail.empty() ? "." : fmt::format(" {}.", clause.tail);
  const std::string adverb = clause.adverb.empty() ? "" : clause.adverb + ' ';
  if (!clause.verb) {
    return fmt::format("{} {}{} {}{}{}", subject, copula(number), clause.is_negated ? " not" : "",
                       adverb, text_of_word(lexicon.adjectives, clause.quality), tail);
  }
  const Inflected& verb =
      at(lexicon.verbs, clause.verb->meaning * synonym_count + clause.verb->form);
  const std::string predicate = (clause.is_negated ? "never " : "") + adverb + verb.in(number);
  const std::string object = phrase_of(lexicon, clause.object);
  if (clause.is_cleft) {
    return fmt::format("it is {} that {} {}{}", object, subject, predicate, tail);
  }
  return fmt::format("{} {} {}{}", subject, predicate, object, tail);
}

int Drawer::meaning(int first, int groups) {
  const int group = first + below(groups);
  return group * group_size + below(scope_ == Scope::Shown ? shown_per_group : group_size);
}

Noun Drawer::noun(int meaning) {
  const int form = below(synonym_count);
  const Number drawn = number();
  Noun noun{meaning, form, drawn, chance(40), ""};
  if (scope_ == Scope::Corpus && chance(epithet_share)) {
    noun.epithet = feature(meaning);
  }
  return noun;
}

const std::string& Drawer::adjective_text(const Word& word) const {
  return text_of_word(lexicon_->adjectives, word);
}

std::string Drawer::polar_adjective(Mood mood) {
  const bool is_common = scope_ == Scope::Corpus && chance(common_share);
  const int index =
      is_common ? below(common_count) : meaning(0, polar_adjective_count / group_size);
  return at(lexicon_->polar_adjectives[static_cast<int>(mood)], index);
}

const Inflected& Drawer::polar_verb(Mood mood) {
  return at(lexicon_->polar_verbs[static_cast<int>(mood)],
            meaning(0, polar_verb_count / group_size));
}

std::string Drawer::place(int topic) {
  const int index = topic * places_per_topic + below(places_per_topic);
  return fmt::format("in the {}", at(lexicon_->places, index));
}

std::string Drawer::name() {
  const std::string start = at(lexicon_->name_starts, below(name_piece_count));
  return start + at(lexicon_->name_ends, below(name_piece_count));
}

void Drawer::add_neighbour(Clause& clause, int topic) {
  static const std::string prepositions[] = {"near", "with", "beside", "behind"};
  clause.preposition = prepositions[below(4)];
  clause.neighbour = noun(noun_of_topic(topic));
}

const std::string& Drawer::feature(int noun) {
  const int which = below(10);
  if (which < 4) return at(lexicon_->topic_adjectives, topic_of_noun(noun));
  if (which < 6) return at(lexicon_->kinds, category_of_noun(noun) % categories_per_topic);
  return at(lexicon_->traits, noun % group_size);
}

const std::string& Drawer::manner(int verb) const {
  return at(lexicon_->manners, verb % group_size);
}

std::string Drawer::scale(int adjective) const {
  return fmt::format("in {}", at(lexicon_->scales, scale_of(adjective)));
}

std::string Drawer::opinion(const Noun& noun, Mood mood) {
  return chance(70) ? quality_opinion(noun, mood) : verb_opinion(noun, mood);
}

std::string Drawer::stressed(Mood mood) {
  const std::string word = polar_adjective(mood);
  if (scope_ != Scope::Corpus || !chance(stress_share)) return word;
  return (mood == Mood::Praise ? "so " : "too ") + word;
}

std::string Drawer::quality_opinion(const Noun& noun, Mood mood) {
  static const std::string stress[] = {"", "", "very ", "really ", "truly "};
  const std::string said = stressed(mood);
  const std::string denied = stressed(other(mood));
  const std::string subject = phrase_of(*lexicon_, noun);
  const std::string is = copula(noun.number);
  switch (below(8)) {
    case 0:
      return fmt::format("{} {} {}{}.", subject, is, stress[below(5)], said);
    case 1:
    case 2:
      return fmt::format("{} {} not {}{}.", subject, is, stress[below(5)], denied);
    case 3:
    case 4:
      return fmt::format("{} {} {} and {}.", subject, is, said, stressed(mood));
    case 5:
      return fmt::format("{} {} neither {} nor {}.", subject, is, denied, stressed(other(mood)));
    case 6:
      return fmt::format("{} {} {} but not {}.", subject, is, said, denied);
    default:
      return fmt::format("{} {} {}, but now {} {}.", subject, past_copula(noun.number), denied,
                         noun.number == Number::Singular ? "it is" : "they are", said);
  }
}

std::string Drawer::verb_opinion(const Noun& noun, Mood mood) {
  const int form = below(6);
  const bool is_denial = form % 2 == 1;
  const Mood verb_mood = is_denial ? other(mood) : mood;
  const Inflected& verb = polar_verb(verb_mood);
  std::string stress;
  Noun praised = noun;
  if (scope_ == Scope::Corpus) {
    if (chance(stress_share)) stress = verb_mood == Mood::Praise ? "dearly " : "badly ";
    if (chance(50)) praised.epithet = polar_adjective(mood);
  }
  const std::string object = phrase_of(*lexicon_, praised);
  switch (form) {
    case 0:
      return fmt::format("everyone {}{} {}.", stress, verb.singular, object);
    case 1:
      return fmt::format("nobody {}{} {}.", stress, verb.singular, object);
    case 2:
      return fmt::format("people {}{} {}.", stress, verb.plural, object);
    case 3:
      return fmt::format("people never {}{} {}.", stress, verb.plural, object);
    case 4:
      return fmt::format("{} {}{} {}.", name(), stress, verb.singular, object);
    default:
      return fmt::format("{} never {}{} {}.", name(), stress, verb.singular, object);
  }
}

}  // namespace basis::synthetic
