#pragma once

#include <cstdint>
#include <string>

#include "data/synthetic_grammar.h"
#include "data/task.h"

/// How a row of each task is made. Internal to the synthetic language.
namespace basis::synthetic {

/// A sentence that agrees, and the same one with one word in the other number.
struct MinimalPair {
  std::string good, bad;
  Violation violation;
};

MinimalPair make_minimal_pair(Drawer& draw);

/// `turn` counts the rows of a split; classes and grades take turns, so that they are balanced.
using MakeRow = Example (*)(Drawer& draw, std::int64_t turn);

/// 0 "unacceptable", 1 "acceptable": one of a minimal pair.
Example make_acceptability(Drawer& draw, std::int64_t turn);
/// 0 "negative", 1 "positive": the sentence's mood after its negations.
Example make_sentiment(Drawer& draw, std::int64_t turn);
/// 0 "different", 1 "paraphrase". Two or three of subject, verb and object are other words in both
/// classes: synonyms throughout, or not; some differ only in who does it to whom.
Example make_paraphrase(Drawer& draw, std::int64_t turn);
/// Target 0..5: how close subject, verb and object are in meaning: 0 for another topic, 5 for
/// synonyms throughout.
Example make_similarity(Drawer& draw, std::int64_t turn);
/// 0 "entailment", 1 "neutral", 2 "contradiction", by synonyms, hypernyms, antonyms and negation.
/// In each class every count of negations is as likely. "the" thing of the second sentence is the
/// first one's thing, and antonyms are complementary ("not open" is "closed").
Example make_entailment(Drawer& draw, std::int64_t turn);

}  // namespace basis::synthetic
