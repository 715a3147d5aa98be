#include "tests/structure/includes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace basis::structure {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

}  // namespace

TEST(StandardIncludes, AUseWithoutItsHeaderIsCaught) {
  const std::vector<SourceFile> tree = {
      {"nn/a.h", "#include <vector>\n#include \"nn/b.h\"\n"},
      {"nn/b.h", "#include <optional>\n"},
  };
  const StandardIncludes rule(tree);
  EXPECT_THAT(rule.check({"nn/a.cpp", "#include \"nn/a.h\"\nstd::vector<int> f();\n"}), IsEmpty());
  EXPECT_THAT(rule.check({"nn/a.cpp", "#include \"nn/a.h\"\nstd::optional<int> f();\n"}),
              IsEmpty());
  EXPECT_THAT(rule.check({"nn/a.cpp", "#include \"nn/b.h\"\n\nstd::vector<int> f();\n"}),
              ElementsAre("nn/a.cpp:3: uses what <vector> declares, which is included nowhere"));
  EXPECT_EQ(rule.check({"nn/a.h",
                        "std::"
                        "map<int, int> f(std::"
                        "string_view);\n"})
                .size(),
            2U);
  EXPECT_THAT(rule.check({"nn/a.h", "int f();  // like std::vector\n"}), IsEmpty());
}

}  // namespace basis::structure
