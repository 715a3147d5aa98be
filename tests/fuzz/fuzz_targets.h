#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace basis::fuzz {

/// A reader of users' files under test.
struct Target {
  const char* name;
  /// Valid inputs.
  std::vector<std::string> (*seeds)();
  /// Reads the input and throws std::logic_error when it is taken but taken wrongly. Returns
  /// whether it was taken; basis::Error means that it was refused.
  bool (*run)(std::string_view input);
};

extern const Target safetensors_target;
extern const Target bert_config_target;

}  // namespace basis::fuzz
