#include "tests/structure/rules.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

namespace basis::structure {

namespace {

/// The arrows of docs/architecture.md: a room and what it may include besides itself.
const std::map<std::string, std::set<std::string>> arrows = {
    {"tensor", {}},
    {"autograd", {"tensor"}},
    {"nn", {"autograd", "tensor"}},
    {"optim", {"nn", "autograd", "tensor"}},
    {"spectral", {"nn", "autograd", "tensor"}},
    {"data", {"tensor"}},
    {"experiments", {"optim", "spectral", "nn", "autograd", "data", "tensor"}},
};

/// Not of the C++ standard library, but of every compiler and system that Basis builds on.
const std::set<std::string> system_headers = {"emmintrin.h", "sys/stat.h"};

const std::vector<std::string> folders = {
    "tensor", "autograd",   "nn",       "optim",   "spectral", "data", "experiments",
    "tests",  "benchmarks", "examples", "scripts", "cmake",    "docs", ".ci"};

const std::set<std::string> text_endings = {".h",    ".cpp",   ".cu",  ".cuh", ".py",
                                            ".sh",   ".cmake", ".txt", ".md",  ".in",
                                            ".toml", ".json",  ""};

std::string ending_of(const std::string& path) {
  return std::filesystem::path(path).extension().string();
}

bool is_code(const std::string& path) {
  static const std::set<std::string> endings = {".h",  ".cpp", ".cu",   ".cuh",
                                                ".py", ".sh",  ".cmake"};
  return endings.contains(ending_of(path)) || path.ends_with("CMakeLists.txt");
}

std::string first_folder(const std::string& path) {
  return path.substr(0, path.find('/'));
}

std::string at(const SourceFile& file, int line) {
  return file.path + ":" + std::to_string(line) + ": ";
}

SourceFile read_file(const std::filesystem::path& root, const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return {std::filesystem::relative(path, root).generic_string(), text.str()};
}

}  // namespace

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back({static_cast<int>(lines.size()) + 1, line});
  }
  return lines;
}

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  for (const Line& line : lines_of(file.text)) {
    std::smatch match;
    if (!std::regex_search(line.text, match, pattern)) continue;
    includes.push_back({line.number, match[1] == "\"", match[2]});
  }
  return includes;
}

std::vector<SourceFile> read_tree(const std::filesystem::path& root) {
  std::vector<SourceFile> files;
  const auto add = [&](const std::filesystem::directory_entry& entry) {
    if (!entry.is_regular_file()) return;
    if (!text_endings.contains(ending_of(entry.path().string()))) return;
    files.push_back(read_file(root, entry.path()));
  };
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.path().filename() != ".git") add(entry);  // a file in a worktree of git's
  }
  for (const std::string& folder : folders) {
    if (!std::filesystem::is_directory(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder))
      add(entry);
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

Violations check_arrows(const SourceFile& file) {
  const auto room = arrows.find(first_folder(file.path));
  if (room == arrows.end() || file.path.find('/') == std::string::npos) return {};
  Violations violations;
  for (const Include& include : includes_of(file)) {
    const std::string target = first_folder(include.path);
    const bool is_ours = include.path.find('/') != std::string::npos &&
                         (arrows.contains(target) || target == "tests");
    if (include.is_quoted && !is_ours) {
      violations.push_back(at(file, include.line) + "\"" + include.path +
                           "\" is not a path from the repository's root into a room");
    } else if (is_ours && target != room->first && !room->second.contains(target)) {
      violations.push_back(at(file, include.line) + "no arrow from " + room->first + " to " +
                           target + " (" + include.path + ")");
    }
  }
  return violations;
}

Violations check_links(const SourceFile& file) {
  const auto room = arrows.find(first_folder(file.path));
  if (room == arrows.end() || file.path != room->first + "/CMakeLists.txt") return {};
  static const std::regex pattern("basis::([a-z_]+)");
  Violations violations;
  for (const Line& line : lines_of(file.text)) {
    for (std::sregex_iterator match(line.text.begin(), line.text.end(), pattern), end; match != end;
         ++match) {
      const std::string target = (*match)[1];
      if (target == room->first || room->second.contains(target)) continue;
      violations.push_back(at(file, line.number) + "no arrow from " + room->first + " to " +
                           target);
    }
  }
  return violations;
}

Violations check_installed_header(const SourceFile& file, const std::set<std::string>& installed) {
  Violations violations;
  for (const Include& include : includes_of(file)) {
    const bool is_standard =
        !include.is_quoted && (include.path.find_first_of("./") == std::string::npos ||
                               system_headers.contains(include.path));
    if (is_standard || (include.is_quoted && installed.contains(include.path))) continue;
    violations.push_back(at(file, include.line) + "an installed header includes " + include.path +
                         ", which is neither the standard library's nor installed; include it in "
                         "the .cpp file, or mark this header \"not installed\"");
  }
  return violations;
}

Violations check_slow_headers(const SourceFile& file) {
  if (file.path == "tensor/json.cpp" || first_folder(file.path) == "tests") return {};
  Violations violations;
  for (const Include& include : includes_of(file)) {
    if (first_folder(include.path) != "nlohmann") continue;
    violations.push_back(at(file, include.line) + "includes " + include.path +
                         ", which takes seconds to compile; include tensor/json.h");
  }
  return violations;
}

Violations check_length(const SourceFile& file) {
  constexpr int longest_source = 500;
  constexpr int longest_test = 700;
  if (!is_code(file.path)) return {};
  const auto count = static_cast<int>(lines_of(file.text).size());
  const int limit = first_folder(file.path) == "tests" ? longest_test : longest_source;
  if (count <= limit) return {};
  return {file.path + ": " + std::to_string(count) + " lines, at most " + std::to_string(limit)};
}

Violations check_paths(const SourceFile& file) {
  // In pieces, or this file would break its own rule.
  static const std::regex pattern(
      "(^|[^A-Za-z0-9_.~}/-])/"
      "(work|home|tmp|root|Users)/");
  Violations violations;
  for (const Line& line : lines_of(file.text)) {
    if (!std::regex_search(line.text, pattern)) continue;
    violations.push_back(at(file, line.number) + "a path of one machine: " + line.text);
  }
  return violations;
}

}  // namespace basis::structure
