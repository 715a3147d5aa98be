#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "experiments/stage.h"

namespace basis {

/// A folder of its own for each test, removed at the end.
class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "basis-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path folder_;
};

/// Content hashes that are the names: no files needed.
inline StageInputs named_inputs() {
  return {[](const std::string& task) { return "task " + task; },
          [](const std::string& path) { return "file " + path; },
          [](const std::string& path) { return "model " + path; }};
}

/// pretrain, 2 seeds x (mrpc, synthetic-sentiment) x (full with spectrum, lora), report: 14 stages.
inline constexpr const char* example_config =
    "name = \"example\"\nseeds = [0, 1]\ntasks = [\"mrpc\", \"synthetic-sentiment\"]\n"
    "methods = [\"full\", \"lora\"]\n[model]\npath = \"pretrain\"\n[pretrain]\nsteps = 10\n";

inline Plan example_plan(const std::vector<std::string>& overrides = {}) {
  return make_plan(parse_config(example_config, "example.toml", overrides), named_inputs());
}

/// The place of the stage of this label; fails the test where there is none.
inline std::size_t place_of(const Plan& plan, const std::string& label) {
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    if (plan.stages[i].label == label) return i;
  }
  ADD_FAILURE() << "no stage " << label;
  return 0;
}

}  // namespace basis
