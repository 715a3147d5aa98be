#pragma once

#include <string>

#include "data/synthetic_grammar.h"

namespace basis::synthetic {

/// A document is about a small world of one topic: one thing acts on another and has a quality,
/// and its things deserve all praise or all blame. The second paragraph tells the facts of the
/// first one in other words, so that a masked word can be inferred by a reader who knows synonyms,
/// hypernyms, antonyms and number. A paragraph a line, four sentences each.
std::string write_document(Drawer& draw);

}  // namespace basis::synthetic
