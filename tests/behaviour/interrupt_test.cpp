// A run that is killed, stopped or broken, and started again, leaves the files of one that was not.
#include <algorithm>
#include <csignal>
#include <iostream>
#include <memory>
#include <random>
#include <sstream>

#include <gmock/gmock.h>

#include "tensor/file.h"
#include "tests/behaviour/child.h"
#include "tests/behaviour/run_files.h"
#include "tests/experiments/fixture.h"

namespace basis::behaviour {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Interrupted : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_file_atomically(folder_ / "tiny.toml", tiny_run);
  }

  std::unique_ptr<Child> start(std::vector<std::string> words) {
    words[0] = BASIS_PROGRAM;
    return std::make_unique<Child>(
        folder_, words,
        std::vector<std::string>{"BASIS_CACHE=" + (folder_ / "cache").string(),
                                 "BASIS_DATA=" + (folder_ / "data").string()});
  }
  std::unique_ptr<Child> start_run(const std::string& out,
                                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"basis", "run", "tiny.toml", "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return start(words);
  }

  /// The files of a run that nobody disturbs.
  std::map<std::string, std::string> undisturbed() {
    const auto child = start_run("undisturbed");
    EXPECT_EQ(child->finish(), 0) << child->output();
    return stage_files(folder_ / "undisturbed");
  }

  /// Is there a checkpoint in a run of which no process works?
  bool has_checkpoint(const std::string& run) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / run)) {
      if (entry.path().filename().string().starts_with("step-")) return true;
    }
    return false;
  }

  /// Lines of all metrics.jsonl of a run, whose process may be at work.
  std::int64_t steps_logged(const std::string& run) const {
    std::int64_t lines = 0;
    std::error_code error;
    for (const auto& stage : std::filesystem::directory_iterator(folder_ / run / "stages", error)) {
      const std::filesystem::path path = stage.path() / "metrics.jsonl";
      if (!std::filesystem::exists(path, error)) continue;
      const std::string content = read_file(path);
      lines += std::count(content.begin(), content.end(), '\n');
    }
    return lines;
  }

  /// Waits until the child has logged so many steps. False when it has ended before.
  bool wait_for_steps(Child& child, const std::string& run, std::int64_t steps) const {
    constexpr double look_again = 0.001;  // seconds
    std::int64_t before = steps_logged(run), seen = 0;
    while (seen < steps) {
      if (child.wait_at_most(look_again)) return false;
      const std::int64_t now = steps_logged(run);
      seen += std::max<std::int64_t>(0, now - before);  // fewer: it takes up a checkpoint
      before = now;
    }
    return true;
  }
};

// The moments are random: some steps after the start, and up to two milliseconds more, within which
// files are written. The seed is printed, and taken from BASIS_TEST_SEED.
TEST_F(Interrupted, KilledAtRandomMomentsItEndsWithTheSameBytes) {
  const char* chosen = std::getenv("BASIS_TEST_SEED");
  const auto seed = chosen != nullptr ? std::stoul(chosen) : std::random_device{}();
  std::cout << "BASIS_TEST_SEED=" << seed << "\n";
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  // 315 steps are logged in all; a checkpoint stands at every seventh of a stage.
  std::uniform_int_distribution<std::int64_t> steps(1, 45);
  std::uniform_real_distribution<double> more_seconds(0, 0.002);

  const auto expected = undisturbed();
  int kills = 0, kills_with_a_checkpoint = 0;
  for (int i = 0; i < 10; ++i) {
    const auto child = start_run("killed");
    if (!wait_for_steps(*child, "killed", steps(random)) ||
        child->wait_at_most(more_seconds(random))) {
      EXPECT_EQ(child->finish(), 0) << child->output();
      break;
    }
    child->send(SIGKILL);
    EXPECT_EQ(child->finish(), -SIGKILL);
    ++kills;
    kills_with_a_checkpoint += has_checkpoint("killed") ? 1 : 0;
  }
  std::cout << kills << " kills, " << kills_with_a_checkpoint << " with a checkpoint there\n";
  EXPECT_GE(kills, 5);
  const auto last = start_run("killed");
  EXPECT_EQ(last->finish(), 0) << last->output();
  expect_same_files(expected, stage_files(folder_ / "killed"));
}

/// The command of "stopped; go on with\n  basis run ...", its words without quotes.
std::vector<std::string> command_in(const std::string& output) {
  const std::string heading = "go on with\n";
  const std::size_t place = output.find(heading);
  if (place == std::string::npos) return {"none"};
  const std::size_t begin = place + heading.size();
  std::istringstream line(output.substr(begin, output.find('\n', begin) - begin));
  return {std::istream_iterator<std::string>(line), {}};
}

TEST_F(Interrupted, ByControlCItSaysHowToGoOnAndDoesSo) {
  const auto expected = undisturbed();
  std::vector<std::string> next;
  // A line comes when a stage has ended: the signal finds one of the next, long before the last.
  for (const char* reached :
       {"[1/12] pretrain", "[2/12] finetune", "[3/12] spectrum", "[5/12] finetune"}) {
    const auto child = start_run("stopped");
    ASSERT_TRUE(child->wait_for_text(reached)) << child->output();
    child->send(SIGINT);
    EXPECT_EQ(child->finish(), 130) << child->output();
    EXPECT_THAT(child->output(),
                AllOf(HasSubstr("stopping after a checkpoint"),
                      HasSubstr("stopped; go on with\n  basis run tiny.toml --out stopped\n")));
    next = command_in(child->output());
    ASSERT_GE(next.size(), 2u);
  }
  const auto last = start(next);
  EXPECT_EQ(last->finish(), 0) << last->output();
  expect_same_files(expected, stage_files(folder_ / "stopped"));
}

TEST_F(Interrupted, GoingOnWithAnotherNumberOfThreadsItSaysSo) {
  // A stage that lasts for seconds: both signals find it at work.
  const std::vector<std::string> stage = {"--only", "pretrain", "--set", "pretrain.steps=5000"};
  const auto child = start_run("threads", stage);
  ASSERT_TRUE(wait_for_steps(*child, "threads", 8)) << child->output();
  child->send(SIGINT);
  EXPECT_EQ(child->finish(), 130) << child->output();

  std::vector<std::string> with_one = stage;
  with_one.insert(with_one.end(), {"--set", "threads=1"});
  const auto next = start_run("threads", with_one);
  const std::string remark =
      "resumes with 1 thread what began with 2 threads: results will differ in the last bits";
  ASSERT_TRUE(next->wait_for_text("pretrain seed 0  " + remark + "\n")) << next->output();
  next->send(SIGINT);
  EXPECT_EQ(next->finish(), 130) << next->output();
  bool is_recorded = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "threads" / "stages")) {
    const std::string log = read_file(entry.path() / "metrics.jsonl");
    is_recorded = is_recorded || log.find(remark) != std::string::npos;
  }
  EXPECT_TRUE(is_recorded) << "in metrics.jsonl";
}

TEST_F(Interrupted, AnAbsurdLearningRateFailsItsStageAlone) {
  const auto child =
      start_run("absurd", {"--only", "finetune synthetic-sentiment", "--set",
                           "method.full.learning_rate=1e30", "--set", "train.schedule=constant"});
  EXPECT_EQ(child->finish(), 2);
  EXPECT_THAT(
      child->output(),
      AllOf(HasSubstr("finetune synthetic-sentiment full seed 0  FAILED: step "),
            HasSubstr("is not finite"), HasSubstr("heckpoint"), HasSubstr("1 stages failed")));
  EXPECT_THAT(child->output(), testing::Not(HasSubstr("lora seed 0  FAILED")));
}

// It breaks the last update of all: no later step sees its loss.
TEST_F(Interrupted, AnAbsurdLearningRateInTheLastStepIsNamedWithIt) {
  const auto child = start_run("absurd", {"--only", "finetune synthetic-sentiment full", "--set",
                                          "method.full.learning_rate=1e30", "--set",
                                          "train.schedule=constant", "--set", "train.steps=1"});
  EXPECT_EQ(child->finish(), 2);
  EXPECT_THAT(child->output(), AllOf(HasSubstr("FAILED: step 1: the loss after its update is not "
                                               "finite (the largest values are those of "),
                                     HasSubstr("There is no checkpoint yet")));
}

}  // namespace
}  // namespace basis::behaviour
