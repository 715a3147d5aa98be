#pragma once

#include <string>

#include "data/synthetic_grammar.h"

namespace basis::synthetic {

/// A document describes a small world of one topic: three things, one of each category, how they
/// act on each other, what they are like, and whether they deserve praise or blame. Every fact is
/// told twice in other words, so that a masked word can be inferred from the other telling by a
/// reader who knows synonyms, hypernyms, antonyms and number. Three paragraphs, a line each.
std::string write_document(Drawer& draw);

}  // namespace basis::synthetic
