#include "data/synthetic_tasks.h"

#include <utility>

namespace basis::synthetic {
namespace {

constexpr int near_miss_share = 40;  // percentage of wrong words that are close to the right one

/// Draws until the meaning is another one.
template <typename Draw>
int another(int meaning, Draw draw) {
  for (;;) {
    const int drawn = draw();
    if (drawn != meaning) return drawn;
  }
}

int another_topic(Drawer& draw, int topic) {
  return another(topic, [&] { return draw.topic(); });
}

/// One of the same category, or of another topic.
int another_noun(Drawer& draw, int noun) {
  if (draw.chance(near_miss_share)) {
    const int category = category_of_noun(noun);
    return another(noun, [&] { return draw.noun_of_category(category); });
  }
  return draw.noun_of_topic(another_topic(draw, topic_of_noun(noun)));
}

/// One of the same topic, or of another.
int another_verb(Drawer& draw, int verb) {
  const int topic = topic_of_verb(verb);
  if (draw.chance(near_miss_share)) {
    return another(verb, [&] { return draw.verb_of_topic(topic); });
  }
  return draw.verb_of_topic(another_topic(draw, topic));
}

void to_synonym(Noun& noun) {
  noun.form = 1 - noun.form;
}
void to_synonym(Word& word) {
  word.form = 1 - word.form;
}

/// Subject, verb and object of one topic.
Clause deed_of_topic(Drawer& draw, int topic) {
  Clause clause;
  clause.subject = draw.noun(draw.noun_of_topic(topic));
  clause.verb = draw.word(draw.verb_of_topic(topic));
  const int object = another(clause.subject.meaning, [&] { return draw.noun_of_topic(topic); });
  clause.object = draw.noun(object);
  return clause;
}

Example pair_of(const Lexicon& lexicon, const Clause& first, const Clause& second) {
  Example row;
  row.first = render(lexicon, first, Violation::None);
  row.second = render(lexicon, second, Violation::None);
  return row;
}

/// How a noun is told again where meaning must follow from the premise.
void weaken(Drawer& draw, Noun& noun) {
  if (noun.form == general_form) return;
  const int way = draw.below(100);
  if (way < 35) {
    noun.form = general_form;
  } else if (way < 85) {
    to_synonym(noun);
  }
}

/// Points of similarity: 4 for the same meaning (mostly by a synonym), 2 for the category, 1 for
/// the topic.
int retell_noun(Drawer& draw, Noun& noun, bool is_kept) {
  if (is_kept) {
    if (draw.chance(75)) to_synonym(noun);
    return 4;
  }
  const int old = noun.meaning;
  noun.meaning = another(old, [&] { return draw.noun_of_topic(topic_of_noun(old)); });
  noun.form = draw.below(synonym_count);
  return category_of_noun(noun.meaning) == category_of_noun(old) ? 2 : 1;
}

int retell_verb(Drawer& draw, Word& verb, bool is_kept) {
  if (is_kept) {
    if (draw.chance(75)) to_synonym(verb);
    return 4;
  }
  const int old = verb.meaning;
  verb = draw.word(another(old, [&] { return draw.verb_of_topic(topic_of_verb(old)); }));
  return 1;
}

enum class Relation : std::uint8_t { Entailment, Neutral, Contradiction };

/// The hypothesis for a premise that says a deed.
void conclude_deed(Drawer& draw, Clause& clause, Relation relation) {
  weaken(draw, clause.object);
  clause.verb->form = draw.below(synonym_count);
  if (relation == Relation::Neutral) {
    clause.is_negated = draw.chance(50);
  } else if (relation == Relation::Contradiction) {
    clause.is_negated = !clause.is_negated;
  }
}

/// The hypothesis for a premise that says a quality: half of the time by the antonym.
void conclude_quality(Drawer& draw, Clause& clause, Relation relation) {
  const bool is_by_antonym = draw.chance(50);
  clause.quality.form = draw.below(synonym_count);
  if (is_by_antonym) clause.quality.meaning = antonym_of(clause.quality.meaning);
  if (relation == Relation::Neutral) {
    clause.is_negated = draw.chance(50);
  } else {
    const bool is_flipped = (relation == Relation::Contradiction) != is_by_antonym;
    clause.is_negated = clause.is_negated != is_flipped;
  }
}

/// Something that the premise leaves open: another predicate, another subject, or one member of
/// the category that the premise names.
void leave_open(Drawer& draw, Clause& clause, bool is_premise_general) {
  if (is_premise_general && draw.chance(50)) {
    clause.subject.form = draw.below(synonym_count);
    return;
  }
  if (draw.chance(30)) {
    clause.subject.meaning = another_noun(draw, clause.subject.meaning);
    clause.subject.form = draw.below(synonym_count);
    return;
  }
  if (clause.verb) {
    clause.verb->meaning = another_verb(draw, clause.verb->meaning);
    return;
  }
  const int topic = topic_of_noun(clause.subject.meaning);
  const int pair = clause.quality.meaning / 2;
  while (clause.quality.meaning / 2 == pair) {
    clause.quality.meaning = draw.adjective_of_topic(topic);
  }
}

/// Words of another topic in the places of the clause's own.
void change_subject(Drawer& draw, Clause& clause) {
  const int topic = another_topic(draw, topic_of_noun(clause.subject.meaning));
  clause.subject.meaning = draw.noun_of_topic(topic);
  clause.object.meaning = draw.noun_of_topic(topic);
  if (clause.verb) clause.verb->meaning = draw.verb_of_topic(topic);
  clause.quality.meaning = draw.adjective_of_topic(topic);
}

}  // namespace

MinimalPair make_minimal_pair(Drawer& draw) {
  const int topic = draw.topic();
  const Violation violation = draw.chance(70) ? Violation::VerbNumber : Violation::DeterminerNumber;
  Clause clause = deed_of_topic(draw, topic);
  clause.subject.is_near = violation == Violation::DeterminerNumber;
  if (draw.chance(35)) {
    clause.verb.reset();
    clause.quality = draw.word(draw.adjective_of_topic(topic));
  }
  const int extra = draw.below(100);
  if (extra < 40) {
    draw.add_neighbour(clause, topic);
    if (draw.chance(50)) clause.neighbour.number = other(clause.subject.number);
  } else if (extra < 60) {
    clause.subject.epithet = draw.adjective_text(draw.word(draw.adjective_of_topic(topic)));
  } else if (extra < 80 && clause.verb) {
    clause.tail = draw.place(topic);
  }
  return {render(draw.lexicon(), clause, Violation::None),
          render(draw.lexicon(), clause, violation), violation};
}

Example make_acceptability(Drawer& draw, std::int64_t turn) {
  MinimalPair pair = make_minimal_pair(draw);
  Example row;
  row.label = static_cast<std::int32_t>(turn % 2);
  row.first = row.label == 1 ? std::move(pair.good) : std::move(pair.bad);
  return row;
}

Example make_sentiment(Drawer& draw, std::int64_t turn) {
  Example row;
  row.label = static_cast<std::int32_t>(turn % 2);
  const Mood mood = row.label == 1 ? Mood::Praise : Mood::Blame;
  const int topic = draw.topic();
  if (draw.chance(80)) {
    row.first = draw.opinion(draw.noun(draw.noun_of_topic(topic)), mood);
    return row;
  }
  Clause clause = deed_of_topic(draw, topic);
  if (draw.chance(50)) {
    clause.subject.epithet = draw.polar_adjective(mood);
  } else {
    clause.tail = draw.polar_adjective(mood) + "ly";
  }
  row.first = render(draw.lexicon(), clause, Violation::None);
  return row;
}

Example make_paraphrase(Drawer& draw, std::int64_t turn) {
  const bool is_paraphrase = turn % 2 == 1;
  Clause first = deed_of_topic(draw, draw.topic());
  first.is_negated = draw.chance(25);
  first.is_cleft = draw.chance(20);
  Clause second = first;
  second.is_cleft = draw.chance(30);
  second.subject.is_near = draw.chance(40);
  second.object.is_near = draw.chance(40);
  const int kept = draw.below(6);  // 0, 1, 2: that slot keeps its word; else all change
  if (kept != 0) to_synonym(second.subject);
  if (kept != 1) to_synonym(*second.verb);
  if (kept != 2) to_synonym(second.object);
  if (!is_paraphrase) {
    if (draw.chance(15)) {
      std::swap(second.subject, second.object);
    } else {
      const int start = draw.below(3);
      const int changes = 1 + draw.below(2);
      for (int i = 0; i < changes; ++i) {
        const int slot = kept == (start + i) % 3 ? (kept + 2) % 3 : (start + i) % 3;
        if (slot == 0) second.subject.meaning = another_noun(draw, first.subject.meaning);
        if (slot == 1) second.verb->meaning = another_verb(draw, first.verb->meaning);
        if (slot == 2) second.object.meaning = another_noun(draw, first.object.meaning);
      }
    }
  }
  Example row = pair_of(draw.lexicon(), first, second);
  row.label = is_paraphrase ? 1 : 0;
  return row;
}

Example make_similarity(Drawer& draw, std::int64_t turn) {
  const int grade = static_cast<int>(turn % 6);
  const int topic = draw.topic();
  const Clause first = deed_of_topic(draw, topic);
  Clause second = first;
  second.subject.is_near = draw.chance(40);
  second.object.is_near = draw.chance(40);
  int points = 0;
  if (grade < 2) {
    change_subject(draw, second);
  } else {
    // Grade 2 keeps none of the three meanings, 3 one, 4 two, 5 all.
    const int start = draw.below(3);
    for (int i = 0; i < 3; ++i) {
      const bool is_kept = i < grade - 2;
      const int slot = (start + i) % 3;
      if (slot == 0) points += retell_noun(draw, second.subject, is_kept);
      if (slot == 1) points += retell_verb(draw, *second.verb, is_kept);
      if (slot == 2) points += retell_noun(draw, second.object, is_kept);
    }
  }
  Example row = pair_of(draw.lexicon(), first, second);
  row.target = 5.0 * points / 12.0;
  return row;
}

Example make_entailment(Drawer& draw, std::int64_t turn) {
  const auto relation = static_cast<Relation>(turn % 3);
  const int topic = draw.topic();
  Clause premise = deed_of_topic(draw, topic);
  premise.is_negated = draw.chance(50);
  if (draw.chance(20)) premise.subject.form = general_form;
  if (draw.chance(50)) {
    premise.verb.reset();
    premise.quality = draw.word(draw.adjective_of_topic(topic));
  }
  Clause hypothesis = premise;
  if (draw.chance(20)) draw.add_neighbour(premise, topic);
  weaken(draw, hypothesis.subject);
  if (relation == Relation::Neutral) {
    if (draw.chance(50)) {
      change_subject(draw, hypothesis);
    } else {
      leave_open(draw, hypothesis, premise.subject.form == general_form);
    }
  }
  if (hypothesis.verb) {
    conclude_deed(draw, hypothesis, relation);
  } else {
    conclude_quality(draw, hypothesis, relation);
  }
  Example row = pair_of(draw.lexicon(), premise, hypothesis);
  row.label = static_cast<std::int32_t>(relation);
  return row;
}

}  // namespace basis::synthetic
