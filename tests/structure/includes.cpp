#include "tests/structure/includes.h"

#include <regex>

namespace basis::structure {

namespace {

struct Header {
  std::string name;
  std::regex use;
};

/// Those of cmake/BasisPrecompiled.cmake, each with names that only it promises.
const std::vector<Header>& precompiled() {
  const auto standard = [](const char* header, const std::string& names) {
    return Header{header, std::regex("\\bstd::(" + names + ")\\b")};
  };
  static const std::vector<Header> headers = {
      standard("algorithm",
               "(stable_|partial_)?sort|clamp|(min|max)(_element)?|(any|all|none)_of"
               "|find(_if)?|count(_if)?|transform|reverse|(upper|lower)_bound|copy_n"),
      standard("array", "array"),
      standard("cmath", "sqrt|exp|log|log2|log10|pow|tanh|erf|fma|isfinite|isnan|hypot|lround"),
      standard("cstdint", "u?int(8|16|32|64|ptr)_t"),
      standard("filesystem", "filesystem"),
      standard("functional", "function|reference_wrapper"),
      standard("limits", "numeric_limits"),
      standard("map", "map"),
      standard("memory", "(unique|shared|weak)_ptr|make_(unique|shared)"),
      standard("optional", "optional|nullopt"),
      standard("span", "span"),
      standard("string", "string|to_string|getline"),
      standard("string_view", "string_view"),
      standard("vector", "vector"),
      {"fmt/format.h", std::regex("\\bfmt::format\\b")},
  };
  return headers;
}

std::set<std::string> included_by(const SourceFile& file) {
  std::set<std::string> names;
  for (const Include& include : includes_of(file)) names.insert(include.path);
  return names;
}

/// The line of the first use outside of comments, 0 where there is none.
int line_of_use(const std::vector<Line>& lines, const std::regex& use) {
  for (const Line& line : lines) {
    if (std::regex_search(line.text.substr(0, line.text.find("//")), use)) return line.number;
  }
  return 0;
}

}  // namespace

StandardIncludes::StandardIncludes(const std::vector<SourceFile>& tree) {
  for (const SourceFile& file : tree) included_[file.path] = included_by(file);
}

std::set<std::string> StandardIncludes::reached_from(const SourceFile& file) const {
  std::set<std::string> reached = included_by(file);
  std::vector<std::string> open(reached.begin(), reached.end());
  while (!open.empty()) {
    const auto ours = included_.find(open.back());
    open.pop_back();
    if (ours == included_.end()) continue;
    for (const std::string& name : ours->second) {
      if (reached.insert(name).second) open.push_back(name);
    }
  }
  return reached;
}

Violations StandardIncludes::check(const SourceFile& file) const {
  if (!file.path.ends_with(".h") && !file.path.ends_with(".cpp")) return {};
  const std::set<std::string> reached = reached_from(file);
  const std::vector<Line> lines = lines_of(file.text);
  Violations violations;
  for (const Header& header : precompiled()) {
    if (reached.contains(header.name)) continue;
    const int line = line_of_use(lines, header.use);
    if (line == 0) continue;
    violations.push_back(file.path + ":" + std::to_string(line) + ": uses what <" + header.name +
                         "> declares, which is included nowhere");
  }
  return violations;
}

}  // namespace basis::structure
