#include "experiments/toml_keys.h"

#include <string>

#include <gtest/gtest.h>

namespace basis {
namespace {

struct Text {
  std::string text;
  std::optional<std::int64_t> line;
};

TEST(TomlKeys, AreFoundWhereTheyHaveTooManyParts) {
  const std::string longest = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", endless = longest + ".a";
  const Text cases[] = {
      {"", std::nullopt},
      {longest + " = 1\n" + longest + " = 1", std::nullopt},
      {endless, 1},
      {"\n[" + endless + "]", 2},
      {"b = {\n" + endless + " = 1}", 2},
      {"b = 1\n\"a\".'b'." + longest, 2},
      {"a . a . " + longest, 1},
      // What is no key.
      {"# " + endless, std::nullopt},
      {"b = \"" + endless + " \\\" " + endless + "\"", std::nullopt},
      {"b = '" + endless + "'", std::nullopt},
      {"b = \"\"\"" + endless + "\n\" " + endless + "\"\"\"", std::nullopt},
      {"b = '''" + endless + "\n' " + endless + "'''", std::nullopt},
      {"b = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]",
       std::nullopt},
      // Strings that never end.
      {"b = \"a", std::nullopt},
      {"b = \"a\n" + endless, 2},
      {"b = '''a\n" + endless, std::nullopt},
  };
  for (const Text& one : cases) EXPECT_EQ(find_endless_key(one.text), one.line) << one.text;
}

}  // namespace
}  // namespace basis
