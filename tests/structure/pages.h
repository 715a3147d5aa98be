#pragma once

#include <map>

#include "tests/structure/rules.h"

namespace basis::structure {

/// Newlines in every file of the tree, by path.
std::map<std::string, int> lines_by_path(const std::filesystem::path& root);

/// A page's links lead to files and folders of the tree, and a number of lines in brackets behind
/// one, "[tape.h](../autograd/tape.h) (48)", is within a fifth of the truth: a reader plans by it.
Violations check_page(const SourceFile& file, const std::map<std::string, int>& lines);

}  // namespace basis::structure
