#include "experiments/parallel_runner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/recorder.h"
#include "experiments/stage_news.h"
#include "experiments/stage_processes.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Outcomes : public RunObserver {
 public:
  void stage_started(const Stage& stage, std::size_t, std::size_t) override {
    started.push_back(stage.label);
  }
  void stage_progressed(const Stage& stage, const Progress& progress, double) override {
    steps[stage.label] = progress.step;
  }
  void stage_remarked(const Stage& stage, const std::string& remark) override {
    remarks[stage.label] += remark + "\n";
  }
  void stage_ended(const Stage& stage, StageOutcome outcome, const StageResult& result,
                   const std::string& message) override {
    outcomes[stage.label] = outcome;
    messages[stage.label] = message;
    results[stage.label] = result;
  }

  std::vector<std::string> started;
  std::map<std::string, std::int64_t> steps;
  std::map<std::string, StageOutcome> outcomes;
  std::map<std::string, std::string> messages, remarks;
  std::map<std::string, StageResult> results;
};

/// Stages that end one after the other, the last started first, unless a test says otherwise.
class FakeWorkers : public StageWorkers {
 public:
  FakeWorkers(const Plan& plan, const StageStore& store) : plan_(plan), store_(store) {}

  void start(std::size_t stage) override {
    if (refused.contains(plan_.stages[stage].label)) throw Error("no process can be started");
    for (const std::size_t input : plan_.stages[stage].inputs) {
      EXPECT_FALSE(running.contains(input)) << plan_.stages[stage].label << " lacks an input";
    }
    running.insert(stage);
    order_.push_back(stage);
    most = std::max(most, running.size());
    started.push_back(plan_.stages[stage].label);
    if (stop_at == started.size()) *stop = true;
  }

  std::optional<Message> wait() override {
    EXPECT_FALSE(order_.empty()) << "a wait for nothing never ends";
    if (order_.empty()) throw Error("nothing runs");
    const std::size_t stage = order_.back();
    if (!told_.contains(stage)) {
      told_.insert(stage);
      return Message{stage, Progress{7, 10, 0.5, 100}};
    }
    order_.pop_back();
    running.erase(stage);
    return Message{stage, end_of(plan_.stages[stage])};
  }

  void interrupt() override { ++interrupts; }

  std::set<std::string> refused, failing;
  std::set<std::size_t> running;
  std::size_t most = 0, stop_at = 0;
  std::atomic<bool>* stop = nullptr;
  int interrupts = 0;
  std::vector<std::string> started;

 private:
  StageEnd end_of(const Stage& stage) const {
    if (interrupts > 0) return {StageOutcome::Interrupted, {}, ""};
    if (failing.contains(stage.label)) return {StageOutcome::Failed, {}, "no such file"};
    StageResult result;
    result.metrics = {{"accuracy", 0.5}};
    make_folder(store_.folder_of(stage));
    store_.finish(stage, result);
    return {StageOutcome::Computed, result, ""};
  }

  const Plan& plan_;
  const StageStore& store_;
  std::vector<std::size_t> order_;
  std::set<std::size_t> told_;
};

class ParallelRunner : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    store_.emplace(folder_ / "run");
    workers_.emplace(plan_, *store_);
    workers_->stop = &stop_;
    services_.observer = &told_;
    services_.stop_flag = &stop_;
    record_run(*store_, plan_, {{"processor", "a test's"}});
  }
  RunSummary run(std::int64_t jobs, const std::string& only = "") {
    return run_stages_in_parallel(plan_, select_stages(plan_, only), *store_, *workers_, services_,
                                  jobs);
  }

  const Plan plan_ = example_plan();
  std::optional<StageStore> store_;
  std::optional<FakeWorkers> workers_;
  std::atomic<bool> stop_{false};
  Outcomes told_;
  RunServices services_;
};

// Of 14: a pretraining first, alone; a spectrum after its fine-tuning; the report last.
TEST_F(ParallelRunner, StartsWhatHasItsInputsAndNoMoreThanJobs) {
  EXPECT_EQ(run(3).exit_status(), 0);
  EXPECT_EQ(workers_->started.size(), plan_.stages.size());
  EXPECT_EQ(workers_->most, 3u);
  EXPECT_EQ(workers_->started.front(), "pretrain seed 0");
  EXPECT_EQ(workers_->started.back(), "report");
  EXPECT_EQ(told_.steps["finetune mrpc lora seed 1"], 7);
  EXPECT_THAT(read_file(store_->run_folder() / "results.csv"), HasSubstr("finetune-mrpc-lora-1"));
}

TEST_F(ParallelRunner, WithOneJobKeepsTheOrderOfThePlan) {
  run(1);
  std::vector<std::string> labels;
  for (const Stage& stage : plan_.stages) labels.push_back(stage.label);
  EXPECT_EQ(workers_->started, labels);
}

TEST_F(ParallelRunner, StartsNothingForWhatIsFinished) {
  run(2);
  workers_->started.clear();
  EXPECT_EQ(run(2).count(StageOutcome::Reused), static_cast<int>(plan_.stages.size()));
  EXPECT_THAT(workers_->started, IsEmpty());
}

TEST_F(ParallelRunner, GoesOnWhenAStageFailsAndLeavesOutWhatNeedsIt) {
  workers_->failing = {"finetune mrpc full seed 0"};
  workers_->refused = {"finetune mrpc full seed 1"};
  const RunSummary summary = run(2);
  EXPECT_EQ(summary.exit_status(), 2);
  EXPECT_EQ(summary.count(StageOutcome::Failed), 2);
  EXPECT_EQ(summary.count(StageOutcome::Skipped), 2);
  EXPECT_EQ(told_.messages["finetune mrpc full seed 0"], "no such file");
  EXPECT_THAT(told_.messages["spectrum mrpc full seed 1"], HasSubstr("finetune mrpc full seed 1"));
  EXPECT_EQ(told_.outcomes["report"], StageOutcome::Computed);
}

TEST_F(ParallelRunner, AfterAnInterruptWaitsForThoseThatRunAndStartsNoOther) {
  workers_->stop_at = 3;  // the first two of those beside each other
  const RunSummary summary = run(2);
  EXPECT_EQ(summary.exit_status(), 130);
  EXPECT_EQ(workers_->interrupts, 1);
  EXPECT_EQ(workers_->started.size(), 3u);
  EXPECT_THAT(workers_->running, IsEmpty());
}

// What it removes must not be what a stage that runs still reads.
TEST_F(ParallelRunner, RemovesFilesThatNoSelectedStageNeeds) {
  services_.keep = Keep::Adapters;
  const Stage& full = plan_.stages[place_of(plan_, "finetune mrpc full seed 0")];
  make_folder(store_->folder_of(full) / "model");
  run(2);
  EXPECT_FALSE(std::filesystem::exists(store_->folder_of(full) / "model"));
}

// ---- The lines between processes ----------------------------------------------------------------

TEST(StageNews, ReadsBackWhatItWrites) {
  const auto again = [](const StageNews& news) { return *parse_news(format_news(news)); };
  const auto progress = std::get<Progress>(again(Progress{3, 40, 0.25, 1606.5}));
  EXPECT_EQ(progress.step, 3);
  EXPECT_EQ(progress.steps, 40);
  EXPECT_EQ(progress.loss, 0.25);
  EXPECT_EQ(progress.tokens_per_s, 1606.5);
  EXPECT_TRUE(std::isnan(std::get<Progress>(again(Progress{1, 2, std::nan(""), 0})).loss));
  EXPECT_EQ(std::get<std::string>(again(std::string("two\nlines \"quoted\""))),
            "two\nlines \"quoted\"");
  for (const StageOutcome outcome :
       {StageOutcome::Computed, StageOutcome::Reused, StageOutcome::Failed, StageOutcome::Skipped,
        StageOutcome::Busy, StageOutcome::Interrupted}) {
    const auto end = std::get<StageEnd>(again(StageEnd{outcome, {}, "why", true}));
    EXPECT_EQ(end.outcome, outcome);
    EXPECT_EQ(end.message, "why");
    EXPECT_TRUE(end.is_internal_error);
  }
}

TEST(StageNews, OtherLinesAreNone) {
  for (const char* line : {"", "basis: no such file", "{", "{}", "{\"news\":\"else\"}",
                           "{\"news\":\"end\",\"outcome\":\"well\"}"}) {
    EXPECT_FALSE(parse_news(line)) << line;
  }
}

// ---- Processes ----------------------------------------------------------------------------------

/// Each stage is a line of shell.
class Processes : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    store_.emplace(folder_ / "run");
    record_run(*store_, plan_, {{"processor", "a test's"}});
    services_.observer = &told_;
    services_.stop_flag = &stop_;
  }
  /// Runs the pretraining, which all others need, as `script`.
  RunSummary run(const std::string& script, const std::string& program = "/bin/sh") {
    StageProcesses processes(plan_, *store_, [&](std::size_t) {
      return StageProcesses::Command{program, {"sh", "-c", script}, {"OF_A_TEST=yes"}};
    });
    return run_stages_in_parallel(plan_, select_stages(plan_, "pretrain"), *store_, processes,
                                  services_, 2);
  }
  const std::string& message() { return told_.messages[label_]; }

  const Plan plan_ = example_plan();
  const std::string label_ = "pretrain seed 0";
  std::optional<StageStore> store_;
  std::atomic<bool> stop_{false};
  Outcomes told_;
  RunServices services_;
};

TEST_F(Processes, TellProgressRemarksAndTheEnd) {
  const std::string end = format_news(StageEnd{StageOutcome::Failed, {}, "the disk is full"});
  const RunSummary summary = run("echo '" + format_news(Progress{5, 9, 1, 2}) + "'; echo '" +
                                 format_news(std::string("as f32")) +
                                 "'; echo odd >&2; echo $OF_A_TEST; echo '" + end + "'");
  EXPECT_EQ(summary.exit_status(), 2);
  EXPECT_EQ(told_.steps[label_], 5);
  EXPECT_EQ(told_.remarks[label_], "as f32\nodd\nyes\n");
  EXPECT_EQ(message(), "the disk is full");
}

TEST_F(Processes, TheResultOfAFinishedStageIsReadFromItsFolder) {
  StageResult result;
  result.metrics = {{"accuracy", 0.75}};
  make_folder(folder_ / "made");
  write_result(folder_ / "made" / "result.json", plan_.stages[0], result);
  const std::string folder = store_->folder_of(plan_.stages[0]).string();
  const RunSummary summary =
      run("mkdir -p '" + folder + "'; cp '" + (folder_ / "made" / "result.json").string() + "' '" +
          folder + "'; echo '" + format_news(StageEnd{StageOutcome::Computed, {}, ""}) + "'");
  EXPECT_EQ(summary.exit_status(), 0) << message();
  EXPECT_EQ(told_.results[label_].metrics, result.metrics);
}

TEST_F(Processes, AKilledOneIsAFailedStageWithTheSignalsName) {
  EXPECT_EQ(run("echo before; kill -SEGV $$").exit_status(), 2);
  EXPECT_THAT(message(),
              AllOf(HasSubstr("killed by SIGSEGV (Segmentation fault"), HasSubstr(": before")));
  EXPECT_EQ(run("kill -KILL $$").exit_status(), 2);
  EXPECT_THAT(message(), HasSubstr("killed by SIGKILL (Killed)"));
}

TEST_F(Processes, OneThatEndsWithoutAWordIsAFailedStage) {
  EXPECT_EQ(run("exit 0").exit_status(), 2);
  EXPECT_EQ(message(), "its process ended with status 0");
  EXPECT_EQ(run("echo 'basis: x.toml: no such file' >&2; exit 2").exit_status(), 2);
  EXPECT_EQ(message(), "its process ended with status 2: basis: x.toml: no such file");
  EXPECT_EQ(run("printf cut; exit 70").exit_status(), 70);
  EXPECT_EQ(message(), "its process ended with status 70: cut");
  EXPECT_EQ(run("", "/no/such/program").exit_status(), 2);
  EXPECT_EQ(message(), "its process ended with status 127");
}

// It ends by SIGTERM as one does that has no handler yet.
TEST_F(Processes, AnInterruptEndsThem) {
  stop_ = false;
  class Stopping : public Outcomes {
   public:
    explicit Stopping(std::atomic<bool>& stop) : stop_(stop) {}
    void stage_progressed(const Stage&, const Progress&, double) override { stop_ = true; }

   private:
    std::atomic<bool>& stop_;
  } stopping(stop_);
  services_.observer = &stopping;
  EXPECT_EQ(run("echo '" + format_news(Progress{1, 9, 1, 2}) + "'; exec sleep 1000").exit_status(),
            130);
  EXPECT_EQ(stopping.outcomes[label_], StageOutcome::Interrupted);
}

TEST_F(Processes, NoneOutlivesTheirOwner) {
  const std::filesystem::path file = folder_ / "id";
  {
    StageProcesses processes(plan_, *store_, [&](std::size_t) {
      return StageProcesses::Command{
          "/bin/sh",
          {"sh", "-c", "echo $$ > '" + file.string() + "'; echo there; exec sleep 1000"}};
    });
    processes.start(0);
    while (!processes.wait()) {
    }
  }
  EXPECT_EQ(kill(std::stoi(read_file(file)), 0), -1);  // no such process
}

// A stage that has nothing to write does not notice that its pipe is closed.
TEST_F(Processes, NoneOutlivesAKilledProcessThatOwnsThem) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);  // whose writing end the stage inherits
  const std::string late = fmt::format("echo there; sleep 2 {0}>&-; echo late >&{0}", ends[1]);
  const pid_t owner = fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    StageProcesses processes(plan_, *store_, [&](std::size_t) {
      return StageProcesses::Command{"/bin/sh", {"sh", "-c", late}};
    });
    processes.start(0);
    while (!processes.wait()) {
    }
    kill(getpid(), SIGKILL);
  }
  close(ends[1]);
  int status = 0;
  EXPECT_EQ(waitpid(owner, &status, 0), owner);
  std::array<char, 8> bytes{};
  EXPECT_EQ(read(ends[0], bytes.data(), bytes.size()), 0) << "it went on: " << bytes.data();
  close(ends[0]);
}

}  // namespace
}  // namespace basis
