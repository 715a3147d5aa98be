#include "experiments/runner.h"

#include <algorithm>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "experiments/metrics_log.h"
#include "experiments/recorder.h"
#include "experiments/run_status.h"
#include "experiments/trainer.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class RunnerTest : public FolderTest, public RunObserver {
 protected:
  RunnerTest() {
    for (const StageKind kind :
         {StageKind::Pretrain, StageKind::Finetune, StageKind::Spectrum, StageKind::Report}) {
      functions_[kind] = [this](StageContext& context) {
        computed_.push_back(context.stage.label);
        StageResult result;
        if (context.stage.kind == StageKind::Finetune) result.metrics = {{"accuracy", 0.5}};
        return result;
      };
    }
  }
  void SetUp() override {
    FolderTest::SetUp();
    store_.emplace(folder_ / "run");
    services_.observer = this;
    services_.stop_flag = &stop_;
    services_.clock = [this] { return clock_ += 1; };
  }

  void stage_started(const Stage&, std::size_t, std::size_t) override {}
  void stage_progressed(const Stage&, const Progress&, double) override {}
  void stage_remarked(const Stage& stage, const std::string& remark) override {
    remarks_[stage.label] = remark;
  }
  void stage_ended(const Stage& stage, StageOutcome outcome, const StageResult&,
                   const std::string& message) override {
    outcomes_[stage.label] = outcome;
    messages_[stage.label] = message;
  }

  RunSummary run(const Plan& plan, const std::string& only = "") {
    computed_.clear();
    record_run(*store_, plan, {{"processor", "a test's"}});
    return run_stages(plan, select_stages(plan, only), *store_, functions_, services_);
  }

  std::optional<StageStore> store_;
  StageFunctions functions_;
  RunServices services_;
  std::atomic<bool> stop_{false};
  double clock_ = 0;
  std::vector<std::string> computed_;
  std::map<std::string, StageOutcome> outcomes_;
  std::map<std::string, std::string> messages_;
  std::map<std::string, std::string> remarks_;
};

TEST_F(RunnerTest, TakesAnotherRunsStagesUnderWhateverName) {
  const char* config =
      "name = \"n\"\nmodels = [\"NAME\"]\n[model]\npath = \"pretrain\"\n"
      "[model.NAME]\n[pretrain]\nsteps = 10\n";
  const auto plan_of = [&](const std::string& name) {
    std::string text = config;
    for (std::size_t at = 0; (at = text.find("NAME")) != std::string::npos;) {
      text.replace(at, 4, name);
    }
    return make_plan(parse_config(text, "x.toml"), named_inputs());
  };
  const Plan first = plan_of("one"), second = plan_of("other");
  ASSERT_EQ(first.stages[0].identity, second.stages[0].identity);
  ASSERT_NE(first.stages[0].folder, second.stages[0].folder);
  EXPECT_EQ(run(first).exit_status(), 0);
  const StageStore another(folder_ / "another");
  EXPECT_EQ(another.reuse(*store_, second), 1);
  EXPECT_TRUE(another.result_of(second.stages[0]));
  EXPECT_EQ(another.reuse(*store_, second), 0) << "it is there";
}

// Three studies failed that took pretrainings from a run with --keep results.
TEST_F(RunnerTest, LeavesAnotherRunsStageWhoseRemovedFilesItNeeds) {
  const auto plan_of = [](const std::string& methods) {
    return make_plan(parse_config("tasks = [\"synthetic-sentiment\"]\nmethods = [" + methods +
                                      "]\n[model]\npath = \"pretrain\"\n[pretrain]\nsteps = 10\n"
                                      "[spectrum]\nenabled = false\n",
                                  "x.toml"),
                     named_inputs());
  };
  const Plan first = plan_of("\"full\""), second = plan_of("\"full\", \"head\"");
  EXPECT_EQ(run(first).exit_status(), 0);
  write_file_atomically(store_->folder_of(first.stages[0]) / "removed.txt", "model\n");
  const StageStore same(folder_ / "same"), larger(folder_ / "larger");
  EXPECT_EQ(same.reuse(*store_, first), 2) << "nothing is left to compute from it";
  EXPECT_EQ(larger.reuse(*store_, second), 1);
  EXPECT_FALSE(larger.result_of(second.stages[0])) << "the pretraining, which \"head\" needs";
  EXPECT_TRUE(larger.result_of(second.stages[1]));
}

TEST_F(RunnerTest, RunsEveryStageOnce) {
  const Plan plan = example_plan();
  EXPECT_EQ(run(plan).exit_status(), 0);
  EXPECT_EQ(computed_.size(), plan.stages.size());
  EXPECT_EQ(run(plan).count(StageOutcome::Reused), static_cast<int>(plan.stages.size()));
  EXPECT_THAT(computed_, IsEmpty());
}

TEST_F(RunnerTest, ComputesOnlyWhatAChangeTouches) {
  run(example_plan());
  run(example_plan({"method.lora.rank=4"}));
  EXPECT_THAT(computed_,
              ElementsAre("finetune mrpc lora seed 0", "finetune synthetic-sentiment lora seed 0",
                          "finetune mrpc lora seed 1", "finetune synthetic-sentiment lora seed 1",
                          "report"));
}

TEST_F(RunnerTest, GivesAStageItsInputs) {
  functions_[StageKind::Spectrum] = [&](StageContext& context) {
    EXPECT_EQ(context.inputs.size(), 2u);
    EXPECT_EQ(context.inputs[0].stage->kind, StageKind::Pretrain);
    EXPECT_EQ(context.inputs[1].stage->method, "full");
    EXPECT_EQ(context.inputs[1].result.metrics.front().second, 0.5);
    EXPECT_TRUE(std::filesystem::is_directory(context.folder));
    return StageResult{};
  };
  EXPECT_EQ(run(example_plan(), "spectrum mrpc full seed 0").exit_status(), 0);
}

TEST_F(RunnerTest, GoesOnWhenAStageFailsAndLeavesOutWhatNeedsIt) {
  functions_[StageKind::Finetune] = [](StageContext& context) -> StageResult {
    if (context.stage.task == "mrpc") throw Error("mrpc/train.tsv: no such file");
    return {};
  };
  std::size_t report_inputs = 0;
  functions_[StageKind::Report] = [&](StageContext& context) {
    report_inputs = context.inputs.size();
    return StageResult{};
  };
  const Plan plan = example_plan();
  const RunSummary summary = run(plan);
  EXPECT_EQ(summary.exit_status(), 2);
  EXPECT_EQ(summary.count(StageOutcome::Failed), 4);
  EXPECT_EQ(summary.count(StageOutcome::Skipped), 2);
  EXPECT_EQ(messages_["finetune mrpc full seed 0"], "mrpc/train.tsv: no such file");
  EXPECT_THAT(messages_["spectrum mrpc full seed 0"], HasSubstr("finetune mrpc full seed 0"));
  EXPECT_EQ(outcomes_["spectrum synthetic-sentiment full seed 0"], StageOutcome::Computed);
  EXPECT_EQ(report_inputs, 1u + 4 + 2);
  // A report with gaps is no finished one.
  EXPECT_EQ(store_->state_of(plan.stages.back()), StageState::Interrupted);
}

TEST_F(RunnerTest, TellsAnErrorOfItsOwnFromAUsers) {
  functions_[StageKind::Finetune] = [](StageContext&) -> StageResult {
    throw InternalError("broken");
  };
  EXPECT_EQ(run(example_plan()).exit_status(), 70);
}

/// Ten steps with a checkpoint after every second one; stops or fails where it is told to.
struct FakeTraining {
  std::int64_t stop_at = -1;    // sets the flag after this step
  std::int64_t throw_at = -1;   // as if killed: no checkpoint is saved
  std::int64_t first_step = 0;  // of the last run

  StageResult operator()(StageContext& context, std::atomic<bool>& stop) {
    const auto file = context.checkpoint_folder() / "step";
    std::int64_t step = std::filesystem::exists(file) ? std::stoll(read_file(file)) : 0;
    first_step = step;
    MetricsLog log(context.folder, step);
    const auto save = [&] {
      make_folder(context.checkpoint_folder());
      write_file_atomically(file, std::to_string(step));
    };
    while (step < 10) {
      if (step == throw_at) throw Error("killed");
      ++step;
      log.write(step, {{"loss", 1.0 / static_cast<double>(step)}});
      context.report_progress({step, 10, 0.5, 100});
      if (step == stop_at) stop = true;
      if (step % 2 == 0 || context.should_stop()) save();
      if (context.should_stop()) throw Cancelled("stopped");
    }
    StageResult result;
    result.metrics = {{"accuracy", 0.75}};
    return result;
  }
};

TEST_F(RunnerTest, GoesOnFromTheCheckpointToTheSameFiles) {
  const Plan plan = example_plan({"seeds=[0]", "tasks=[\"mrpc\"]", "methods=[\"lora\"]"});
  const Stage& stage = plan.stages[place_of(plan, "finetune mrpc lora seed 0")];
  FakeTraining training;
  functions_[StageKind::Finetune] = [&](StageContext& context) { return training(context, stop_); };

  run(plan);
  const std::string uninterrupted = read_file(store_->folder_of(stage) / "metrics.jsonl");
  EXPECT_FALSE(std::filesystem::exists(store_->folder_of(stage) / "checkpoints"));

  store_.emplace(folder_ / "again");
  training.throw_at = 7;
  EXPECT_EQ(run(plan).exit_status(), 2);
  EXPECT_EQ(store_->state_of(stage), StageState::Interrupted);
  training = {};
  training.stop_at = 9;
  EXPECT_EQ(run(plan).exit_status(), 130);
  EXPECT_EQ(training.first_step, 6);
  EXPECT_EQ(outcomes_["finetune mrpc lora seed 0"], StageOutcome::Interrupted);
  const StageProgress progress = store_->progress_of(stage);
  EXPECT_EQ(progress.step, 9);
  EXPECT_GT(progress.seconds, 0);

  stop_ = false;
  training = {};
  EXPECT_EQ(run(plan).exit_status(), 0);
  EXPECT_EQ(training.first_step, 9);
  EXPECT_EQ(read_file(store_->folder_of(stage) / "metrics.jsonl"), uninterrupted);
  EXPECT_GT(store_->result_of(stage)->seconds, progress.seconds);
}

TEST_F(RunnerTest, StartsNoFurtherStageAfterAnInterrupt) {
  functions_[StageKind::Pretrain] = [&](StageContext&) {
    stop_ = true;
    return StageResult{};
  };
  EXPECT_EQ(run(example_plan()).exit_status(), 130);
  EXPECT_THAT(computed_, IsEmpty());
  EXPECT_EQ(outcomes_["pretrain seed 0"], StageOutcome::Computed);
}

TEST_F(RunnerTest, LeavesAStageThatAnotherProcessWorksOn) {
  const Plan plan = example_plan({"seeds=[0]"});
  const Stage& stage = plan.stages[place_of(plan, "finetune mrpc full seed 0")];
  const std::optional<StageLock> lock = store_->try_lock(stage);
  ASSERT_TRUE(lock);
  EXPECT_EQ(store_->state_of(stage), StageState::Running);
  EXPECT_EQ(run(plan).exit_status(), 2);
  EXPECT_EQ(outcomes_[stage.label], StageOutcome::Busy);
  EXPECT_EQ(outcomes_["finetune mrpc lora seed 0"], StageOutcome::Computed);
}

TEST_F(RunnerTest, ReportsADamagedResultAndGoesOn) {
  const Plan plan = example_plan();
  run(plan);
  const Stage& stage = plan.stages[place_of(plan, "finetune mrpc full seed 0")];
  write_file_atomically(store_->folder_of(stage) / "result.json", "{\"identity\": ");
  EXPECT_EQ(run(plan).exit_status(), 2);
  EXPECT_EQ(outcomes_[stage.label], StageOutcome::Failed);
  EXPECT_THAT(messages_[stage.label], HasSubstr("result.json"));
}

TEST_F(RunnerTest, RefusesAFolderThatCannotBeMade) {
  write_file_atomically(folder_ / "run", "a file");
  EXPECT_THROW(run(example_plan()), Error);
}

// ---- What a run writes --------------------------------------------------------------------------

TEST_F(RunnerTest, WritesTheResolvedConfigWhichRunsTheSameStages) {
  const Plan plan = example_plan({"train.epochs=7"});
  run(plan);
  const Config again = load_config(store_->run_folder() / "config.toml");
  EXPECT_EQ(again, plan.config);
  EXPECT_THAT(read_file(store_->run_folder() / "machine.json"),
              AllOf(HasSubstr("\"processor\": \"a test's\""), HasSubstr("\"compiler\"")));
}

TEST_F(RunnerTest, WritesARowForEveryFinishedStageOfThePlan) {
  functions_[StageKind::Finetune] = [](StageContext& context) {
    StageResult result;
    if (context.stage.task == "mrpc") {
      result.metrics = {{"f1", 0.1}, {"accuracy", 2.0 / 3}};
      result.trainable = 41400;
      result.trainable_share = 0.0018;
    } else {
      result.metrics = {{"accuracy", std::numeric_limits<double>::quiet_NaN()}};
    }
    return result;
  };
  run(example_plan({"train.epochs=9"}));  // its rows must not be there
  const Plan plan = example_plan({"seeds=[3]", "methods=[\"lora\"]"});
  run(plan);
  const std::string csv = read_file(store_->run_folder() / "results.csv");
  const auto folder_of = [&](const std::string& label) {
    return plan.stages[place_of(plan, label)].folder;
  };
  // The clock ticks once at the start and once at the end of a stage.
  EXPECT_EQ(csv,
            "stage,model,pretrain_seed,task,method,seed,f1,accuracy,trainable,trainable_share,"
            "adapted_share,"
            "head_parameters,tokens_per_s,peak_mib,seconds\n" +
                folder_of("pretrain seed 0") + ",,0,,,0,,,0,0,0,0,0,0,1\n" +
                folder_of("finetune mrpc lora seed 3") +
                ",,0,mrpc,lora,3,0.1,0.6666666666666666,41400,0.0018,0,0,0,0,1\n" +
                folder_of("finetune synthetic-sentiment lora seed 3") +
                ",,0,synthetic-sentiment,lora,3,,,0,0,0,0,0,0,1\n");
}

TEST_F(RunnerTest, StatusTellsWhatIsDoneAndLeft) {
  const Plan plan = example_plan({"seeds=[0]"});
  run(plan, "finetune mrpc full");
  const Stage& running = plan.stages[place_of(plan, "finetune mrpc lora seed 0")];
  const std::optional<StageLock> lock = store_->try_lock(running);
  store_->write_progress(running, {25, 100, 10});
  const RunStatus status = read_status(store_->run_folder());
  EXPECT_EQ(status.count(StageState::Finished), 2);
  EXPECT_EQ(status.count(StageState::Running), 1);
  EXPECT_EQ(status.count(StageState::Waiting), 5);
  const StageStatus& one = status.stages[place_of(plan, running.label)];
  EXPECT_EQ(one.seconds_left, 30);  // a quarter took 10 s
  // Fine-tunings of the other task are estimated by their kin, spectra have none.
  EXPECT_FALSE(status.is_estimate_complete());
  EXPECT_THAT(format_status(status),
              AllOf(StartsWith("example: 2 of 8 stages finished, 1 running, 5 left; more than"),
                    HasSubstr("step 25/100")));
  EXPECT_THROW(read_status(folder_), Error);
}

TEST(MetricsLog, WritesNumbersThatReadBackAndNullForNone) {
  std::string pattern = (std::filesystem::temp_directory_path() / "basis-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  MetricsLog log(folder, 0);
  log.write(1, {{"loss", 0.1}, {"gradient_norm", std::nan("")}, {"tokens", std::int64_t{3}}});
  log.write(2, {{"event", "dev"}});
  EXPECT_EQ(read_file(folder / "metrics.jsonl"),
            "{\"step\":1,\"loss\":0.1,\"gradient_norm\":null,\"tokens\":3}\n"
            "{\"step\":2,\"event\":\"dev\"}\n");
  // A line cut short by a kill, and those after the checkpoint, go.
  append_line(folder / "metrics.jsonl", "{\"step\": 3, \"lo");
  MetricsLog again(folder, 1);
  EXPECT_EQ(read_file(folder / "metrics.jsonl"),
            "{\"step\":1,\"loss\":0.1,\"gradient_norm\":null,\"tokens\":3}\n");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace basis
