#include "tests/structure/pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace basis::structure {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Pages, LinksLeadSomewhereAndTellTheRightLength) {
  const std::map<std::string, int> lines = lines_by_path(BASIS_SOURCE_FOLDER);
  ASSERT_TRUE(lines.contains("docs/tour.md"));
  std::string all;
  int pages = 0;
  for (const SourceFile& file : read_tree(BASIS_SOURCE_FOLDER)) {
    pages += file.path.ends_with(".md") ? 1 : 0;
    for (const std::string& violation : check_page(file, lines)) all += violation + "\n";
  }
  EXPECT_EQ(all, "");
  EXPECT_GT(pages, 10);
}

TEST(Pages, ABrokenLinkAndAWrongLengthAreCaught) {
  const std::map<std::string, int> lines = {{"nn/bert.h", 50}, {"README.md", 9}};
  for (const char* good :
       {"[a](../nn/bert.h)", "[a](../nn/bert.h) (58)", "[a](../nn/bert.h#place)", "[a](../nn)",
        "[a](../README.md)", "[a](https://example.org/x)", "[a](#place)"}) {
    EXPECT_THAT(check_page({"docs/a.md", good}, lines), IsEmpty()) << good;
  }
  EXPECT_THAT(check_page({"docs/a.md", "[a](nn/bert.h)"}, lines),
              ElementsAre("docs/a.md: no docs/nn/bert.h (nn/bert.h)"));
  EXPECT_THAT(check_page({"docs/a.md", "[a](../nn/bert.h) (61 lines)"}, lines),
              ElementsAre("docs/a.md: nn/bert.h has 50 lines, not 61"));
  EXPECT_THAT(check_page({"nn/bert.cpp", "// [a](nothing)"}, lines), IsEmpty());
}

}  // namespace
}  // namespace basis::structure
