#include "tensor/cuda/library.h"

#include <cstdlib>

#include <gmock/gmock.h>

#include "tensor/error.h"

namespace basis::cuda {
namespace {

std::string refusal_of(const std::vector<Library::Name>& names) {
  try {
    const Library library(names);
    return "loaded from " + library.path();
  } catch (const Error& error) {
    return error.what();
  }
}

// As torch's wheels have them: cuSOLVER in one folder, what it needs in others.
TEST(CudaLibrary, IsLoadedAfterWhatItNeedsOfOtherFolders) {
  setenv("BASIS_CUDA_LIBRARIES", BASIS_NEEDY_FOLDER ":" BASIS_NEEDED_FOLDER, 1);
  const std::string needy = "libbasis_test_needy.so", needed = "libbasis_test_needed.so";
  // First, for what is loaded stays.
  EXPECT_THAT(refusal_of({{needy, {}}}), testing::HasSubstr(needed + ": cannot open"));
  EXPECT_THAT(refusal_of({{needy, {"libbasis_test_other.so"}}}),
              testing::HasSubstr(needed + ": cannot open"));
  const Library library({{"libbasis_test_absent.so", {}}, {needy, {needed}}});
  EXPECT_EQ(library.path(), BASIS_NEEDY_FOLDER "/" + needy);
  EXPECT_EQ(library.function<int (*)()>("needy_number")(), 42);
  EXPECT_THROW(library.function<int (*)()>("no_number"), Error);
}

TEST(CudaLibrary, SaysWhatItTriedWhereThereIsNone) {
  EXPECT_THAT(refusal_of({{"libbasis_a.so", {"libbasis_b.so"}}, {"libbasis_c.so", {}}}),
              testing::AllOf(testing::HasSubstr("no libbasis_a.so or libbasis_c.so"),
                             testing::HasSubstr("system's library folders"),
                             testing::HasSubstr("BASIS_CUDA_LIBRARIES")));
}

}  // namespace
}  // namespace basis::cuda
