#include "tensor/cuda/library.h"

#include <algorithm>
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

/// Sets an environment variable for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { before_.empty() ? unsetenv(name_) : setenv(name_, before_.c_str(), 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

TEST(CudaLibrary, IsSoughtWhereItsUserSaysThenWhereTheSystemAndTorchHaveIt) {
  const std::filesystem::path site = testing::TempDir() + "/basis_torch_site";
  std::filesystem::create_directories(site / "nvidia/cu13/lib");
  const Variable own("BASIS_CUDA_LIBRARIES", "/own/first:/own/second"), python("PYTHONPATH", site),
      toolkit("CUDA_HOME", "/toolkit");
  const std::vector<std::filesystem::path> folders = library_folders();
  const auto place_of = [&](const std::filesystem::path& folder) {
    return std::find(folders.begin(), folders.end(), folder) - folders.begin();
  };
  EXPECT_EQ(place_of("/own/first"), 0);
  EXPECT_EQ(place_of("/own/second"), 1);
  EXPECT_EQ(place_of(""), 2);  // the system's loader
  EXPECT_LT(place_of(""), place_of(site / "nvidia/cu13/lib"));
  EXPECT_LT(place_of(site / "nvidia/cu13/lib"), place_of("/toolkit/lib64"));
  EXPECT_LT(place_of("/toolkit/lib64"), std::ssize(folders));
  std::filesystem::remove_all(site);
}

// As torch's wheels have them: cuSOLVER in one folder, what it needs in others.
TEST(CudaLibrary, IsLoadedAfterWhatItNeedsOfOtherFolders) {
  const Variable folders("BASIS_CUDA_LIBRARIES", BASIS_NEEDY_FOLDER ":" BASIS_NEEDED_FOLDER);
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
