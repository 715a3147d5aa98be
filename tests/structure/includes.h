#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/structure/rules.h"

namespace basis::structure {

/// Files that use a name of a precompiled header and include it neither themselves nor through
/// another header of the tree: they compile only because it is precompiled.
class StandardIncludes {
 public:
  explicit StandardIncludes(const std::vector<SourceFile>& tree);

  Violations check(const SourceFile& file) const;

 private:
  /// Everything that a file of the tree includes, itself or through its own headers.
  std::set<std::string> reached_from(const SourceFile& file) const;

  std::map<std::string, std::set<std::string>> included_;  // by each file of the tree, itself
};

}  // namespace basis::structure
