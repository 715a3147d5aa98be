#include "tests/structure/includes.h"

#include <regex>
#include <sstream>

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

std::set<std::string> included_by(const std::string& text) {
  static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::set<std::string> names;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (std::smatch match; std::regex_search(line, match, pattern)) names.insert(match[1]);
  }
  return names;
}

/// The line of the first use outside of comments, 0 where there is none.
int line_of_use(const std::string& text, const std::regex& use) {
  std::istringstream stream(text);
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (std::regex_search(line.substr(0, line.find("//")), use)) return number;
  }
  return 0;
}

}  // namespace

StandardIncludes::StandardIncludes(const std::vector<SourceFile>& tree) {
  for (const SourceFile& file : tree) files_[file.path] = &file;
}

std::set<std::string> StandardIncludes::reached_from(const SourceFile& file) const {
  std::set<std::string> reached;
  std::vector<const SourceFile*> open = {&file};
  while (!open.empty()) {
    const SourceFile* next = open.back();
    open.pop_back();
    for (const std::string& name : included_by(next->text)) {
      if (!reached.insert(name).second) continue;
      if (const auto ours = files_.find(name); ours != files_.end()) open.push_back(ours->second);
    }
  }
  return reached;
}

Violations StandardIncludes::check(const SourceFile& file) const {
  if (!file.path.ends_with(".h") && !file.path.ends_with(".cpp")) return {};
  const std::set<std::string> reached = reached_from(file);
  Violations violations;
  for (const Header& header : precompiled()) {
    if (reached.contains(header.name)) continue;
    const int line = line_of_use(file.text, header.use);
    if (line == 0) continue;
    violations.push_back(file.path + ":" + std::to_string(line) + ": uses what <" + header.name +
                         "> declares, which is included nowhere");
  }
  return violations;
}

}  // namespace basis::structure
