#include "tests/structure/pages.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <regex>

namespace basis::structure {

namespace {

bool is_outside(const std::string& link) {
  return link.find("://") != std::string::npos;
}

/// "docs/tour.md" and "../nn/bert.h" -> "nn/bert.h".
std::string target_of(const std::string& page, const std::string& link) {
  std::string path =
      (std::filesystem::path(page).parent_path() / link).lexically_normal().generic_string();
  while (path.ends_with("/")) path.pop_back();
  return path.empty() ? "." : path;
}

bool is_there(const std::string& path, const std::map<std::string, int>& lines) {
  if (path == "." || lines.contains(path)) return true;
  const auto inside = lines.lower_bound(path + "/");  // a folder
  return inside != lines.end() && inside->first.starts_with(path + "/");
}

bool is_near(int told, int lines) {
  return 5 * std::abs(told - lines) <= lines;
}

}  // namespace

std::map<std::string, int> lines_by_path(const std::filesystem::path& root) {
  std::map<std::string, int> lines;
  for (auto entry = std::filesystem::recursive_directory_iterator(root);
       entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    const std::string path = std::filesystem::relative(entry->path(), root).generic_string();
    if (path == ".git" || path == "build" || path == "runs") {
      entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file()) continue;
    std::ifstream stream(entry->path(), std::ios::binary);
    lines[path] = static_cast<int>(std::count(std::istreambuf_iterator<char>(stream), {}, '\n'));
  }
  return lines;
}

Violations check_page(const SourceFile& file, const std::map<std::string, int>& lines) {
  if (!file.path.ends_with(".md")) return {};
  static const std::regex pattern(R"(\]\(([^)\s#]+)(#[^)\s]*)?\)(?: \((\d+))?)");
  Violations violations;
  for (std::sregex_iterator link(file.text.begin(), file.text.end(), pattern), end; link != end;
       ++link) {
    const std::string address = (*link)[1];
    if (is_outside(address)) continue;
    const std::string path = target_of(file.path, address);
    if (!is_there(path, lines)) {
      violations.push_back(file.path + ": no " + path + " (" + address + ")");
    } else if ((*link)[3].matched && lines.contains(path) &&
               !is_near(std::stoi((*link)[3]), lines.at(path))) {
      violations.push_back(file.path + ": " + path + " has " + std::to_string(lines.at(path)) +
                           " lines, not " + (*link)[3].str());
    }
  }
  return violations;
}

}  // namespace basis::structure
