#include "experiments/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

class Snapshots : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    stage_ = folder_ / "a";
    other_ = folder_ / "b";
    std::filesystem::create_directory(stage_);
    std::filesystem::create_directory(other_);
  }
  std::filesystem::path model(const std::string& checkpoint) const {
    ModelSettings settings;
    settings.path = "pretrain";
    settings.checkpoint = checkpoint;
    return model_of_pretraining(stage_, settings, other_);
  }
  std::filesystem::path stage_, other_;
};

TEST_F(Snapshots, AreListedInOrderOfTokensEachNameOnce) {
  EXPECT_TRUE(read_snapshots(stage_).empty());
  add_snapshot(stage_, {"final", 900, 3.5});
  add_snapshot(stage_, {"best", 200, 3.25});
  add_snapshot(stage_, {"best", 600, 3.125});
  const std::vector<Snapshot> listed = read_snapshots(stage_);
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].name, "best");
  EXPECT_EQ(listed[0].tokens, 600);
  EXPECT_EQ(listed[0].held_out_loss, 3.125);
  EXPECT_EQ(listed[1].folder(), "model");
}

TEST_F(Snapshots, AreFoundByNameTokensOrLoss) {
  for (const Snapshot& snapshot :
       {Snapshot{"100", 100, 5}, Snapshot{"500", 500, 4}, Snapshot{"final", 900, 3}}) {
    add_snapshot(stage_, snapshot);
  }
  add_snapshot(other_, {"final", 900, 4.25});
  EXPECT_EQ(model("final"), stage_ / "model");
  EXPECT_EQ(model("100"), stage_ / "model-100");
  EXPECT_EQ(model("matching other"), stage_ / "model-500");
}

TEST_F(Snapshots, ThatAreNotThereAreNamedBesideThoseThatAre) {
  add_snapshot(stage_, {"100", 100, 5});
  try {
    model("best");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no snapshot \"best\"; there are 100."));
  }
}

}  // namespace
}  // namespace basis
