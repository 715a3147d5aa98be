#include "data/synthetic_grammar.h"

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis::synthetic {
namespace {

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
  if (!clause.attribute.empty()) text += ' ' + clause.attribute;
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
  return fmt::format("{} {}", determiner(noun.is_near, noun.number), text_of(lexicon, noun));
}

std::string render(const Lexicon& lexicon, const Clause& clause, Violation violation) {
  const Number number =
      violation == Violation::VerbNumber ? other(clause.subject.number) : clause.subject.number;
  const std::string subject = subject_of(lexicon, clause, violation);
  const std::string tail = clause.tail.empty() ? "." : fmt::format(" {}.", clause.tail);
  if (!clause.verb) {
    return fmt::format("{} {}{} {}{}", subject, copula(number), clause.is_negated ? " not" : "",
                       text_of_word(lexicon.adjectives, clause.quality), tail);
  }
  const Inflected& verb =
      at(lexicon.verbs, clause.verb->meaning * synonym_count + clause.verb->form);
  const std::string predicate = (clause.is_negated ? "never " : "") + verb.in(number);
  const std::string object = phrase_of(lexicon, clause.object);
  if (clause.is_cleft) {
    return fmt::format("it is {} that {} {}{}", object, subject, predicate, tail);
  }
  return fmt::format("{} {} {}{}", subject, predicate, object, tail);
}

int Drawer::meaning(int first, int groups) {
  const int group = first + below(groups);
  return group * group_size + below(scope_ == Scope::All ? group_size : shown_per_group);
}

Noun Drawer::noun(int meaning) {
  const int form = below(synonym_count);
  const Number drawn = number();
  return {meaning, form, drawn, chance(40)};
}

const std::string& Drawer::adjective_text(const Word& word) const {
  return text_of_word(lexicon_->adjectives, word);
}

std::string Drawer::polar_adjective(Mood mood) {
  return at(lexicon_->polar_adjectives[static_cast<int>(mood)],
            meaning(0, polar_adjective_count / group_size));
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

std::string Drawer::opinion(const Noun& noun, Mood mood) {
  return chance(70) ? quality_opinion(noun, mood) : verb_opinion(noun, mood);
}

std::string Drawer::quality_opinion(const Noun& noun, Mood mood) {
  static const std::string stress[] = {"", "", "very ", "really ", "truly "};
  const std::string said = polar_adjective(mood);
  const std::string denied = polar_adjective(other(mood));
  const std::string subject = phrase_of(*lexicon_, noun);
  const std::string is = copula(noun.number);
  switch (below(8)) {
    case 0:
    case 1:
      return fmt::format("{} {} {}{}.", subject, is, stress[below(5)], said);
    case 2:
    case 3:
      return fmt::format("{} {} not {}{}.", subject, is, stress[below(5)], denied);
    case 4:
      return fmt::format("{} {} {} and {}.", subject, is, said, polar_adjective(mood));
    case 5:
      return fmt::format("{} {} neither {} nor {}.", subject, is, denied,
                         polar_adjective(other(mood)));
    case 6:
      return fmt::format("{} {} {} but not {}.", subject, is, said, denied);
    default:
      return fmt::format("{} {} {}, but now {} {}.", subject, past_copula(noun.number), denied,
                         noun.number == Number::Singular ? "it is" : "they are", said);
  }
}

std::string Drawer::verb_opinion(const Noun& noun, Mood mood) {
  const std::string object = phrase_of(*lexicon_, noun);
  const Inflected& said = polar_verb(mood);
  const Inflected& denied = polar_verb(other(mood));
  switch (below(6)) {
    case 0:
      return fmt::format("everyone {} {}.", said.singular, object);
    case 1:
      return fmt::format("nobody {} {}.", denied.singular, object);
    case 2:
      return fmt::format("people {} {}.", said.plural, object);
    case 3:
      return fmt::format("people never {} {}.", denied.plural, object);
    case 4:
      return fmt::format("{} {} {}.", name(), said.singular, object);
    default:
      return fmt::format("{} never {} {}.", name(), denied.singular, object);
  }
}

}  // namespace basis::synthetic
