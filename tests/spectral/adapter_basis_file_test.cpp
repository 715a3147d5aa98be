#include "spectral/adapter_basis_file.h"

#include "tests/spectral/adapter_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

/// Every singular direction: rank 0.
AdapterMethod full_rank(std::uint64_t seed = 0) {
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Spectral;
  method.form = AdapterMethod::Form::Diagonal;
  method.rank = 0;
  method.seed = seed;
  return method;
}

class AdapterBasisFile : public AdapterFolder {
 protected:
  std::vector<std::string> files_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::string message_of_loading(const std::filesystem::path& folder) {
    const Model model = base("mean");
    return error_of([&] { load_adapter(backend(), memory(), folder, *model); });
  }
};

// A full-rank adapter could be trained but not saved: rank 0 was refused as below 1.
TEST_F(AdapterBasisFile, HoldsTheFrozenFactorsAndGivesEveryBitBack) {
  const Model saved = adapted(full_rank(), "mean");
  save_adapter(path("a"), *saved, full_rank());
  const std::string name = basis_file_of(*saved, full_rank()).name;
  EXPECT_THAT(files_in(path("a")), testing::UnorderedElementsAre(
                                       "adapter_config.json", "adapter_model.safetensors", name));
  const SafeTensors tensors = SafeTensors::open(path("a") / "adapter_model.safetensors");
  for (const std::string& tensor : tensors.names()) {
    EXPECT_FALSE(stands_in_basis_file(full_rank(), tensor)) << tensor;
  }
  const Model loaded = base("mean");
  EXPECT_EQ(load_adapter(backend(), memory(), path("a"), *loaded).rank, 0);
  EXPECT_EQ(snapshot(*loaded), snapshot(*saved));
  EXPECT_EQ(logits(*loaded), logits(*saved));
}

TEST_F(AdapterBasisFile, IsSharedByAdaptersWhenItLiesInTheFolderAbove) {
  const Model saved = adapted(full_rank(), "mean");
  save_adapter(path("a"), *saved, full_rank());
  const std::string name = basis_file_of(*saved, full_rank()).name;
  std::filesystem::rename(path("a") / name, path(".") / name);
  EXPECT_EQ(message_of_loading(path("a")), "");
  save_adapter(path("b"), *saved, full_rank());
  EXPECT_FALSE(std::filesystem::exists(path("b") / name));
  EXPECT_EQ(message_of_loading(path("b")), "");
}

TEST_F(AdapterBasisFile, IsNotWrittenForALowerRank) {
  AdapterMethod method = full_rank();
  method.rank = 3;
  save_adapter(path("a"), *adapted(method, "mean"), method);
  EXPECT_THAT(files_in(path("a")),
              testing::ElementsAre("adapter_config.json", "adapter_model.safetensors"));
}

TEST_F(AdapterBasisFile, IsRefusedWhenMissingOrOfAnotherBasis) {
  const Model saved = adapted(full_rank(), "mean");
  save_adapter(path("a"), *saved, full_rank());
  const std::filesystem::path file = path("a") / basis_file_of(*saved, full_rank()).name;
  write_safetensors(file, {{"u", saved->parameters().at("classifier.weight").value()}}, {});
  EXPECT_THAT(message_of_loading(path("a")), HasSubstr("holds another basis than its name says"));
  std::filesystem::remove(file);
  EXPECT_THAT(message_of_loading(path("a")),
              testing::AllOf(HasSubstr(file.filename().string()), HasSubstr("one folder up")));
}

}  // namespace
}  // namespace basis
