#include "data/synthetic_corpus.h"

#include <utility>
#include <vector>

#include "data/synthetic_dictionary.h"

namespace basis::synthetic {
namespace {

/// What a document tells: its facts stay true from the first line to the last.
struct World {
  struct Thing {
    int noun;
    Number number;
    int adjective;
  };
  struct Deed {
    int subject, verb, object;
    bool is_negated;
  };
  int topic;
  Mood mood;
  Thing things[categories_per_topic];
  Deed deeds[2];
};

World make_world(Drawer& draw) {
  World world{};
  world.topic = draw.topic();
  world.mood = draw.mood();
  const int rotation = draw.below(categories_per_topic);
  for (int i = 0; i < categories_per_topic; ++i) {
    const int local = (i + rotation) % categories_per_topic;
    const int noun = draw.noun_of_category(world.topic * categories_per_topic + local);
    const Number number = draw.number();
    world.things[i] = {noun, number, draw.adjective_of_topic(world.topic)};
  }
  const int second_object = draw.below(2);
  world.deeds[0] = {0, draw.verb_of_topic(world.topic), 1, draw.chance(30)};
  world.deeds[1] = {second_object, draw.verb_of_topic(world.topic), 2, draw.chance(30)};
  return world;
}

/// The thing by one of its synonyms, or by its category's word.
Noun mention(Drawer& draw, const World::Thing& thing) {
  Noun noun = draw.noun(thing.noun);
  noun.number = thing.number;
  if (draw.chance(20)) noun.form = general_form;
  return noun;
}

std::string tell_deed(Drawer& draw, const World& world, const World::Deed& deed) {
  Clause clause;
  clause.subject = mention(draw, world.things[deed.subject]);
  clause.object = mention(draw, world.things[deed.object]);
  clause.verb = draw.word(deed.verb);
  clause.is_negated = deed.is_negated;
  clause.is_cleft = draw.chance(15);
  const int extra = draw.below(100);
  const World::Thing& thing = world.things[deed.subject];
  if (extra < 12) {
    clause.attribute = draw.polar_adjective(world.mood);
  } else if (extra < 24) {
    clause.attribute = draw.adjective_text(draw.word(thing.adjective));
  } else if (extra < 46) {
    draw.add_neighbour(clause, world.topic);
  } else if (extra < 58) {
    clause.tail = draw.place(world.topic);
  } else if (extra < 68 && !clause.is_negated) {
    clause.tail = draw.polar_adjective(world.mood) + "ly";
  }
  return render(draw.lexicon(), clause, Violation::None);
}

/// Directly, or by denying the antonym.
std::string tell_quality(Drawer& draw, const World& world, const World::Thing& thing) {
  Clause clause;
  clause.subject = mention(draw, thing);
  clause.is_negated = draw.chance(35);
  clause.quality = draw.word(clause.is_negated ? antonym_of(thing.adjective) : thing.adjective);
  if (draw.chance(20)) draw.add_neighbour(clause, world.topic);
  return render(draw.lexicon(), clause, Violation::None);
}

std::string tell_opinion(Drawer& draw, const World& world) {
  return draw.opinion(mention(draw, world.things[draw.below(2)]), world.mood);
}

/// A line of a dictionary about one of the document's words.
std::string tell_words(Drawer& draw, const World& world) {
  const World::Thing& thing = world.things[draw.below(categories_per_topic)];
  const int about = draw.below(100);
  if (about < 25) return define_noun(draw, thing.noun);
  if (about < 45) return classify_noun(draw, thing.noun);
  if (about < 60) return define_verb(draw, world.deeds[draw.below(2)].verb);
  if (about < 75) return define_adjective(draw, thing.adjective);
  return define_polar(draw, world.mood);
}

std::string paragraph(Drawer& draw, std::vector<std::string> sentences) {
  for (int i = static_cast<int>(sentences.size()) - 1; i > 0; --i) {
    std::swap(sentences[static_cast<std::size_t>(i)],
              sentences[static_cast<std::size_t>(draw.below(i + 1))]);
  }
  std::string text;
  for (const std::string& sentence : sentences) text += (text.empty() ? "" : " ") + sentence;
  return text;
}

}  // namespace

// Every list is built with braces: its elements are evaluated from left to right, so that the
// draws have one order on every compiler. The same holds for separate statements elsewhere.
std::string write_document(Drawer& draw) {
  const World world = make_world(draw);
  const World::Thing* things = world.things;
  std::vector<std::string> first{tell_deed(draw, world, world.deeds[0]),
                                 tell_quality(draw, world, things[0]), tell_opinion(draw, world),
                                 tell_words(draw, world)};
  std::vector<std::string> second{tell_deed(draw, world, world.deeds[0]),
                                  tell_quality(draw, world, things[1]), tell_opinion(draw, world),
                                  tell_words(draw, world)};
  std::vector<std::string> third{tell_deed(draw, world, world.deeds[1]),
                                 tell_quality(draw, world, things[draw.below(2)]),
                                 tell_opinion(draw, world), tell_words(draw, world)};
  std::string text = paragraph(draw, std::move(first));
  text += '\n' + paragraph(draw, std::move(second));
  text += '\n' + paragraph(draw, std::move(third));
  return text;
}

}  // namespace basis::synthetic
