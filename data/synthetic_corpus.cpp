#include "data/synthetic_corpus.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/synthetic_dictionary.h"

namespace basis::synthetic {
namespace {

/// What a document tells: its facts stay true from the first line to the last.
struct World {
  int topic;
  Mood mood;
  Noun doer, object;
  Word verb;
  Word quality;  // of the doer
  bool is_negated;
};

World make_world(Drawer& draw) {
  World world{};
  world.topic = draw.topic();
  world.mood = draw.mood();
  const int first = draw.below(categories_per_topic);
  const int second = (first + 1 + draw.below(categories_per_topic - 1)) % categories_per_topic;
  world.doer = draw.noun(draw.noun_of_category(world.topic * categories_per_topic + first));
  world.object = draw.noun(draw.noun_of_category(world.topic * categories_per_topic + second));
  world.verb = draw.word(draw.verb_of_topic(world.topic));
  world.quality = draw.word(draw.adjective_of_topic(world.topic));
  world.is_negated = draw.chance(25);
  return world;
}

/// The thing by its synonym, or by its category's word: never by the word used before, so that
/// copying does not do where understanding should.
Noun mention_again(Drawer& draw, const Noun& before) {
  Noun noun = draw.noun(before.meaning);
  noun.number = before.number;
  noun.form = draw.chance(20) ? general_form : 1 - before.form;
  return noun;
}

/// The same facts in other words.
World retell(Drawer& draw, const World& before) {
  World world = before;
  world.doer = mention_again(draw, before.doer);
  world.object = mention_again(draw, before.object);
  world.verb.form = 1 - before.verb.form;
  world.quality.form = 1 - before.quality.form;
  return world;
}

std::string tell_deed(Drawer& draw, const World& world) {
  Clause clause;
  clause.subject = world.doer;
  clause.object = world.object;
  clause.verb = world.verb;
  clause.is_negated = world.is_negated;
  clause.is_cleft = draw.chance(15);
  if (draw.chance(60)) clause.adverb = draw.manner(world.verb.meaning);
  const int extra = draw.below(100);
  if (extra < 20) {
    clause.tail = draw.place(world.topic);
  } else if (extra < 35 && !clause.is_negated) {
    clause.tail = draw.polar_adjective(world.mood) + "ly";
  } else if (extra < 60) {
    draw.add_neighbour(clause, world.topic);
  }
  return render(draw.lexicon(), clause, Violation::None);
}

/// Directly, or by denying the antonym.
std::string tell_quality(Drawer& draw, const World& world) {
  Clause clause;
  clause.subject = world.doer;
  clause.quality = world.quality;
  clause.is_negated = draw.chance(25);
  if (clause.is_negated) clause.quality.meaning = antonym_of(clause.quality.meaning);
  if (draw.chance(50)) clause.adverb = is_more(clause.quality.meaning) ? "more" : "less";
  if (draw.chance(50)) clause.tail = draw.scale(clause.quality.meaning);
  if (draw.chance(15)) draw.add_neighbour(clause, world.topic);
  return render(draw.lexicon(), clause, Violation::None);
}

/// About anything of the topic.
std::string tell_opinion(Drawer& draw, const World& world) {
  return draw.opinion(draw.noun(draw.noun_of_topic(world.topic)), world.mood);
}

/// A line of a dictionary about one of the document's words.
std::string tell_words(Drawer& draw, const World& world) {
  const int noun = draw.chance(50) ? world.doer.meaning : world.object.meaning;
  const int about = draw.below(100);
  if (about < 20) return define_noun(draw, noun);
  if (about < 45) return classify_noun(draw, noun);
  if (about < 60) return define_verb(draw, world.verb.meaning);
  if (about < 75) return define_adjective(draw, world.quality.meaning);
  return define_polar(draw, world.mood);
}

/// Four sentences in any order.
std::string paragraph(Drawer& draw, const World& world) {
  std::vector<std::string> sentences{tell_deed(draw, world), tell_quality(draw, world),
                                     tell_opinion(draw, world), tell_words(draw, world)};
  for (int i = static_cast<int>(sentences.size()) - 1; i > 0; --i) {
    std::swap(sentences[static_cast<std::size_t>(i)],
              sentences[static_cast<std::size_t>(draw.below(i + 1))]);
  }
  return fmt::format("{} {} {} {}", sentences[0], sentences[1], sentences[2], sentences[3]);
}

}  // namespace

// Draws have one order on every compiler: elements in braces are evaluated from left to right, and
// no call has two arguments that draw.
std::string write_document(Drawer& draw) {
  const World world = make_world(draw);
  const std::string first = paragraph(draw, world);
  return first + '\n' + paragraph(draw, retell(draw, world));
}

}  // namespace basis::synthetic
