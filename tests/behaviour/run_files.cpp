#include "tests/behaviour/run_files.h"

#include <regex>

#include <gtest/gtest.h>

#include "tensor/file.h"

namespace basis::behaviour {

namespace {

std::string without_measurements(const std::string& text) {
  static const std::regex measured(R"re("(tokens_per_s|peak_mib|seconds)": ?[-+.e0-9]+)re");
  return std::regex_replace(text, measured, "\"$1\"");
}

}  // namespace

std::map<std::string, std::string> stage_files(const std::filesystem::path& run) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run / "stages")) {
    if (!entry.is_regular_file()) continue;
    const std::filesystem::path& path = entry.path();
    const std::string name = path.lexically_relative(run).string();
    const bool is_text = path.extension() == ".jsonl" || path.filename() == "result.json";
    if (path.filename() == "progress.json") continue;  // of stages that were interrupted
    const std::string content = read_file(path);
    files[name] = is_text ? without_measurements(content) : content;
  }
  return files;
}

void expect_same_files(const std::map<std::string, std::string>& some,
                       const std::map<std::string, std::string>& other) {
  for (const auto& [name, content] : some) {
    const auto found = other.find(name);
    if (found == other.end()) {
      ADD_FAILURE() << name << " is missing";
    } else {
      EXPECT_TRUE(found->second == content) << name << " differs";
    }
  }
  for (const auto& [name, content] : other) EXPECT_TRUE(some.contains(name)) << name << " is new";
}

}  // namespace basis::behaviour
