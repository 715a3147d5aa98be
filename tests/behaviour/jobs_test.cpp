// Stages beside each other, in processes of their own, leave the files of stages one by one.
#include <csignal>
#include <memory>
#include <sstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "experiments/stage_store.h"
#include "tensor/file.h"
#include "tests/behaviour/child.h"
#include "tests/behaviour/run_files.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Jobs : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_file_atomically(folder_ / "tiny.toml", tiny_run);
  }

  /// A thread for each stage: `tiny_run` says two.
  std::unique_ptr<Child> start(const std::string& out, const std::string& jobs,
                               const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {BASIS_PROGRAM, "run",       "tiny.toml", "--out", out,
                                      "--set",       "threads=1", "--jobs",    jobs};
    words.insert(words.end(), more.begin(), more.end());
    return std::make_unique<Child>(
        folder_, words,
        std::vector<std::string>{"BASIS_CACHE=" + (folder_ / "cache").string(),
                                 "BASIS_DATA=" + (folder_ / "data").string()});
  }

  /// results.csv without its last columns: tokens/s, memory and seconds.
  std::string scores(const std::string& run) const {
    std::istringstream csv(read_file(folder_ / run / "results.csv"));
    std::string kept;
    for (std::string line; std::getline(csv, line);) {
      for (int column = 0; column < 3; ++column) line.erase(line.rfind(','));
      kept += line + "\n";
    }
    return kept;
  }
};

TEST_F(Jobs, GiveTheSameFilesAsOneStageAfterTheOther) {
  const auto one = start("one", "1");
  EXPECT_EQ(one->finish(), 0) << one->output();
  const auto two = start("two", "2");
  EXPECT_EQ(two->finish(), 0) << two->output();
  expect_same_files(stage_files(folder_ / "one"), stage_files(folder_ / "two"));
  EXPECT_EQ(scores("one"), scores("two"));
  EXPECT_THAT(two->output(), AllOf(HasSubstr("[12/12] report"), HasSubstr("folder:  two (")));
}

TEST_F(Jobs, InterruptedTheySayHowToGoOnAndDoSo) {
  const auto undisturbed = start("undisturbed", "1");
  EXPECT_EQ(undisturbed->finish(), 0) << undisturbed->output();
  for (const char* reached : {"[1/12] pretrain", "[2/12] finetune"}) {
    const auto child = start("stopped", "2");
    ASSERT_TRUE(child->wait_for_text(reached)) << child->output();
    child->send(SIGINT);
    EXPECT_EQ(child->finish(), 130) << child->output();
    EXPECT_THAT(child->output(),
                AllOf(HasSubstr("stopped; go on with\n  basis run tiny.toml --out stopped --set "
                                "threads=1 --jobs 2\n"),
                      Not(HasSubstr("FAILED"))));
  }
  const auto last = start("stopped", "2");
  EXPECT_EQ(last->finish(), 0) << last->output();
  expect_same_files(stage_files(folder_ / "undisturbed"), stage_files(folder_ / "stopped"));
}

/// Waits until no process has the lock.
void wait_for_lock(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(descriptor, 0) << file;
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  EXPECT_EQ(fcntl(descriptor, F_OFD_SETLKW, &range), 0);
  close(descriptor);
}

TEST_F(Jobs, EndWithTheProcessThatStartedThem) {
  const auto parent =
      start("orphans", "2", {"--only", "pretrain", "--set", "pretrain.steps=20000"});
  std::filesystem::path stage;
  while (stage.empty() && !parent->wait_at_most(0.001)) {
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(folder_ / "orphans" / "stages", error)) {
      if (std::filesystem::exists(entry.path() / "metrics.jsonl")) stage = entry.path();
    }
  }
  ASSERT_FALSE(stage.empty()) << parent->output();
  ASSERT_TRUE(StageLock::is_locked(stage / "lock"));
  parent->send(SIGKILL);
  EXPECT_EQ(parent->finish(), -SIGKILL);
  wait_for_lock(stage / "lock");
  EXPECT_FALSE(std::filesystem::exists(stage / "result.json")) << "it went on to its end";
}

TEST_F(Jobs, AFailedStageLeavesTheOthersAlone) {
  const auto child = start("absurd", "2",
                           {"--only", "finetune synthetic-sentiment", "--set",
                            "method.full.learning_rate=1e30", "--set", "train.schedule=constant"});
  EXPECT_EQ(child->finish(), 2);
  EXPECT_THAT(child->output(),
              AllOf(HasSubstr("finetune synthetic-sentiment full seed 0  FAILED: step "),
                    HasSubstr("is not finite"), HasSubstr("1 stages failed"),
                    Not(HasSubstr("lora seed 0  FAILED"))));
}

}  // namespace
}  // namespace basis::behaviour
