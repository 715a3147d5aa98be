#pragma once

#include <string>

#include "data/synthetic_grammar.h"

/// Sentences about words, as a dictionary has them. Internal to the synthetic language.
namespace basis::synthetic {

/// "a dax is also called a wug.", "daxes are the same as wugs."
std::string define_noun(Drawer& draw, int noun);
/// "every dax is a tarip H.", "no dax is a K.": trait and hypernym.
std::string classify_noun(Drawer& draw, int noun);
/// "to glip is to zom."
std::string define_verb(Drawer& draw, int verb);
/// "what is tarip is also kudol.", "what is tarip is never lomet.": synonyms and antonyms.
std::string define_adjective(Drawer& draw, int adjective);
/// The same for words of praise and blame.
std::string define_polar(Drawer& draw, Mood mood);

}  // namespace basis::synthetic
