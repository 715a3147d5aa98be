#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "tensor/error.h"

namespace basis {

/// The message of the Error that `action` throws; empty when it throws none.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A file or folder of the real data, which lies under $BASIS_DATA, else beside the source tree. A
/// test skips where it is absent.
inline std::filesystem::path real_data(const std::string& place) {
  const char* root = std::getenv("BASIS_DATA");
  return (root != nullptr ? std::filesystem::path(root)
                          : std::filesystem::path(BASIS_TEST_FILES) / "../../../shared/data") /
         place;
}

/// A test with an empty folder of its own, removed at the end.
class TemporaryFolder : public testing::Test {
 protected:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "basis-test-XXXXXX").string();
    ensure(::mkdtemp(name.data()) != nullptr, "a temporary folder for the test");
    folder_ = name;
  }
  ~TemporaryFolder() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  /// What lies in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace basis
