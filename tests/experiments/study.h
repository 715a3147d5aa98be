#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/experiments/fixture.h"
#include "tests/experiments/program_run.h"

namespace basis {

/// Runs configs of the repository by the program itself.
class Study : public FolderTest {
 protected:
  Outcome run(const std::string& arguments) { return run_program(folder_, folder_, arguments); }
  /// Runs the reduced form of a config of the repository; its run folder.
  std::filesystem::path run_reduced(const std::string& name, const std::string& options = "") {
    const auto config = std::filesystem::path(BASIS_CONFIGS) / (name + ".toml");
    const Outcome outcome = run("run '" + config.string() + "' --reduced " + options);
    EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.error;
    return folder_ / "runs" / (name + "-reduced");
  }
  /// The stages whose folder begins so.
  static std::vector<std::filesystem::path> stages(const std::filesystem::path& run_folder,
                                                   const std::string& prefix) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(run_folder / "stages")) {
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

}  // namespace basis
