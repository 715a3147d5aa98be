#include "data/synthetic_dictionary.h"

#include <fmt/format.h>

namespace basis::synthetic {
namespace {

const Inflected& synonym(const std::vector<Inflected>& words, int meaning, int form) {
  return words[static_cast<std::size_t>(meaning * synonym_count + form)];
}

}  // namespace

std::string define_noun(Drawer& draw, int noun) {
  const int form = draw.below(synonym_count);
  const Inflected& one = synonym(draw.lexicon().nouns, noun, form);
  const Inflected& same = synonym(draw.lexicon().nouns, noun, 1 - form);
  if (draw.chance(50)) return fmt::format("a {} is also called a {}.", one.singular, same.singular);
  return fmt::format("{} are the same as {}.", one.plural, same.plural);
}

std::string classify_noun(Drawer& draw, int noun) {
  const auto& kinds = draw.lexicon().category_nouns;
  const Inflected& word = synonym(draw.lexicon().nouns, noun, draw.below(synonym_count));
  const int category = category_of_noun(noun);
  const Inflected& kind = kinds[static_cast<std::size_t>(category)];
  const int shift = 1 + draw.below(categories_per_topic - 1);
  const int local = (category + shift) % categories_per_topic;
  const int wrong_category = topic_of_noun(noun) * categories_per_topic + local;
  const Inflected& wrong = kinds[static_cast<std::size_t>(wrong_category)];
  const auto& trait = draw.lexicon().traits[static_cast<std::size_t>(noun % group_size)];
  switch (draw.below(5)) {
    case 0:
      return fmt::format("every {} is a {} {}.", word.singular, trait, kind.singular);
    case 1:
      return fmt::format("all {} are {} {}.", word.plural, trait, kind.plural);
    case 2:
      return fmt::format("a {} is a kind of {}.", word.singular, kind.singular);
    case 3:
      return fmt::format("{} are {}.", word.plural, kind.plural);
    default:
      return fmt::format("no {} is a {}.", word.singular, wrong.singular);
  }
}

std::string define_verb(Drawer& draw, int verb) {
  const int form = draw.below(synonym_count);
  const auto& verbs = draw.lexicon().verbs;
  return fmt::format("to {} is to {}.", synonym(verbs, verb, form).plural,
                     synonym(verbs, verb, 1 - form).plural);
}

std::string define_adjective(Drawer& draw, int adjective) {
  const Word word = draw.word(adjective);
  const bool is_same = draw.chance(50);
  const Word said = is_same ? Word{adjective, 1 - word.form} : draw.word(antonym_of(adjective));
  return fmt::format("what is {} is {} {}.", draw.adjective_text(word), is_same ? "also" : "never",
                     draw.adjective_text(said));
}

std::string define_polar(Drawer& draw, Mood mood) {
  const std::string word = draw.polar_adjective(mood);
  const bool is_same = draw.chance(60);
  const std::string said = draw.polar_adjective(is_same ? mood : other(mood));
  return fmt::format("what is {} is {} {}.", word, is_same ? "also" : "never", said);
}

}  // namespace basis::synthetic
