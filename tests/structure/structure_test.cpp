#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/structure/includes.h"
#include "tests/structure/rules.h"

namespace basis::structure {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<SourceFile>& tree() {
  static const std::vector<SourceFile> files = read_tree(BASIS_SOURCE_FOLDER);
  return files;
}

/// What `make install` copies, as CMake has written it down.
const std::set<std::string>& installed_headers() {
  static const std::set<std::string> headers = [] {
    std::set<std::string> names = {"basis_version.h"};  // generated
    std::ifstream list(BASIS_INSTALLED_HEADERS);
    for (std::string name; std::getline(list, name);) names.insert(name);
    return names;
  }();
  return headers;
}

std::string in_tree(const std::function<Violations(const SourceFile&)>& rule) {
  std::string all;
  for (const SourceFile& file : tree()) {
    for (const std::string& violation : rule(file)) all += violation + "\n";
  }
  return all;
}

}  // namespace

TEST(Tree, IsReadWhole) {
  std::set<std::string> paths;
  for (const SourceFile& file : tree()) paths.insert(file.path);
  for (const char* path : {"CMakeLists.txt", "basis.h", "tensor/cpu/kernels/rows.cpp",
                           "experiments/CMakeLists.txt", "tests/structure/rules.cpp", ".ci/run"}) {
    EXPECT_TRUE(paths.contains(path)) << path;
  }
}

TEST(Tree, IncludesFollowTheArrowsOfThePlan) {
  EXPECT_EQ(in_tree(check_arrows), "");
}

TEST(Tree, LinkListsFollowTheArrowsOfThePlan) {
  EXPECT_EQ(in_tree(check_links), "");
}

TEST(Tree, InstalledHeadersIncludeOnlyTheStandardLibraryAndEachOther) {
  ASSERT_TRUE(installed_headers().contains("tensor/tensor.h"));
  EXPECT_EQ(in_tree([](const SourceFile& file) {
              return installed_headers().contains(file.path)
                         ? check_installed_header(file, installed_headers())
                         : Violations{};
            }),
            "");
}

TEST(Tree, IncludesSlowHeadersInOneFileEach) {
  EXPECT_EQ(in_tree(check_slow_headers), "");
}

TEST(Tree, IncludesWhatItUses) {
  const StandardIncludes rule(tree());
  EXPECT_EQ(in_tree([&](const SourceFile& file) { return rule.check(file); }), "");
}

TEST(Tree, FilesAreShort) {
  EXPECT_EQ(in_tree(check_length), "");
}

TEST(Tree, HoldsNoPathOfOneMachine) {
  EXPECT_EQ(in_tree(check_paths), "");
}

// The rules themselves, on trees that break them.

TEST(Arrows, UpwardAndSidewaysIncludesAreCaught) {
  struct Case {
    const char* file;
    const char* include;
    bool is_allowed;
  };
  const Case cases[] = {
      {"autograd/tape.cpp", "tensor/tensor.h", true},
      {"tensor/tensor.h", "tensor/shape.h", true},
      {"experiments/a.cpp", "data/batch.h", true},
      {"tests/nn/a.cpp", "experiments/trainer.h", true},
      {"basis.h", "experiments/trainer.h", true},
      {"tensor/tensor.h", "autograd/tape.h", false},
      {"nn/bert.h", "data/wordpiece.h", false},
      {"data/batch.h", "nn/bert.h", false},
      {"optim/optimizer.cpp", "spectral/svd.h", false},
      {"spectral/svd.cpp", "optim/optimizer.h", false},
      {"spectral/svd.cpp", "experiments/config.h", false},
      {"nn/bert.cpp", "tests/nn/reference.h", false},
      {"nn/bert.cpp", "bert.h", false},
  };
  for (const Case& one : cases) {
    const SourceFile file{one.file, std::string("// text\n#include \"") + one.include + "\"\n"};
    EXPECT_EQ(check_arrows(file).empty(), one.is_allowed) << one.file << " <- " << one.include;
  }
}

TEST(Arrows, AViolationNamesFileLineAndBothRooms) {
  EXPECT_THAT(check_arrows({"data/a.cpp", "\n\n#  include \"nn/bert.h\"\n"}),
              ElementsAre("data/a.cpp:3: no arrow from data to nn (nn/bert.h)"));
  EXPECT_THAT(check_arrows({"data/a.cpp", "#include <nn/bert.h>\n"}),
              ElementsAre(HasSubstr("no arrow from data to nn")));
}

TEST(Arrows, ALinkAgainstThemIsCaught) {
  EXPECT_THAT(check_links({"data/CMakeLists.txt", "basis_room(data\n  LINKS basis::tensor)\n"}),
              IsEmpty());
  EXPECT_THAT(check_links({"data/CMakeLists.txt", "basis_room(data\n  LINKS basis::nn)\n"}),
              ElementsAre("data/CMakeLists.txt:2: no arrow from data to nn"));
}

TEST(InstalledHeader, ThirdPartyAndPrivateIncludesAreCaught) {
  const std::set<std::string> installed = {"tensor/tensor.h"};
  for (const char* good : {"<vector>", "<emmintrin.h>", "\"tensor/tensor.h\""}) {
    EXPECT_THAT(check_installed_header({"nn/a.h", std::string("#include ") + good}, installed),
                IsEmpty())
        << good;
  }
  for (const char* bad : {"<fmt/format.h>", "<nlohmann/json.hpp>", "<toml++/toml.h>", "<cblas.h>",
                          "<gtest/gtest.h>", "\"tensor/mine.h\"", "<tensor/tensor.h>"}) {
    EXPECT_EQ(check_installed_header({"nn/a.h", std::string("#include ") + bad}, installed).size(),
              1U)
        << bad;
  }
}

TEST(SlowHeaders, AreAllowedInTheirOneFileAndInTests) {
  const char* include = "#include <nlohmann/json.hpp>\n";
  for (const char* path : {"tensor/json.cpp", "tests/nn/a.cpp"}) {
    EXPECT_THAT(check_slow_headers({path, include}), IsEmpty()) << path;
  }
  EXPECT_THAT(check_slow_headers({"nn/a.cpp", include}),
              ElementsAre("nn/a.cpp:1: includes nlohmann/json.hpp, which takes seconds to compile; "
                          "include tensor/json.h"));
  for (const char* path : {"tensor/json.h", "basis.h", "benchmarks/a.cpp", "examples/a.cpp"}) {
    EXPECT_EQ(check_slow_headers({path, "#include <nlohmann/json_fwd.hpp>\n"}).size(), 1U) << path;
  }
}

TEST(Length, CountsCodeAndAllowsMoreInTests) {
  const auto lines = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "\n";
    return text;
  };
  EXPECT_THAT(check_length({"nn/a.cpp", lines(500)}), IsEmpty());
  EXPECT_THAT(check_length({"nn/a.cpp", lines(501)}),
              ElementsAre("nn/a.cpp: 501 lines, at most 500"));
  EXPECT_THAT(check_length({"tests/nn/a.cpp", lines(700)}), IsEmpty());
  EXPECT_EQ(check_length({"tests/nn/a.cpp", lines(701)}).size(), 1U);
  EXPECT_THAT(check_length({"docs/a.md", lines(2000)}), IsEmpty());
}

TEST(Paths, OnlyAbsoluteOnesOfAMachineAreCaught) {
  const std::string slash = "/";
  EXPECT_EQ(check_paths({"a.cpp", "open(\"" + slash + "home/me/data\");\n"}).size(), 1U);
  EXPECT_EQ(check_paths({"a.cpp", slash + "tmp/x\n"}).size(), 1U);
  EXPECT_THAT(
      check_paths({"a.cpp", "https://example.org" + slash + "home/x, build/tmp/, a/work/b\n"}),
      IsEmpty());
}

}  // namespace basis::structure
