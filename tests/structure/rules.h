#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What must hold of the tree's text. Each rule takes a file's path in the tree and its text and
// returns what breaks it, "path:line: ..." each.
namespace basis::structure {

using Violations = std::vector<std::string>;

struct SourceFile {
  std::string path;  // "tensor/tensor.h"
  std::string text;
};

struct Line {
  int number;  // from 1
  std::string text;
};
std::vector<Line> lines_of(const std::string& text);

struct Include {
  int line;
  bool is_quoted;
  std::string path;
};
std::vector<Include> includes_of(const SourceFile& file);

/// Every text file that we wrote, in order of its path.
std::vector<SourceFile> read_tree(const std::filesystem::path& root);

/// Rooms include only the rooms that the plan's arrows lead to, by paths from the repository's
/// root; basis.h, tests, benchmarks and examples include anything.
Violations check_arrows(const SourceFile& file);

/// The same of the link list in a room's CMakeLists.txt.
Violations check_links(const SourceFile& file);

/// An installed header includes the standard library and installed headers, nothing else.
Violations check_installed_header(const SourceFile& file, const std::set<std::string>& installed);

/// nlohmann's JSON costs every file that includes it seconds of compile time: outside the tests
/// only tensor/json.cpp does.
Violations check_slow_headers(const SourceFile& file);

/// At most 500 lines of code in a file, 700 in a test.
Violations check_length(const SourceFile& file);

/// No path that only one machine has.
Violations check_paths(const SourceFile& file);

}  // namespace basis::structure
