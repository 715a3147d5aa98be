#include "experiments/keep.h"

#include <gmock/gmock.h>

#include "experiments/recorder.h"
#include "experiments/runner.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Stages that leave the files of real ones, one byte each.
class KeepTest : public FolderTest, public RunObserver {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    store_.emplace(folder_ / "run");
    for (const StageKind kind :
         {StageKind::Pretrain, StageKind::Finetune, StageKind::Spectrum, StageKind::Report}) {
      functions_[kind] = [this](StageContext& context) {
        read_inputs(context);
        write_files(context);
        return StageResult{};
      };
    }
  }

  /// As the real ones do: a spectrum reads both its models, a fine-tuning the pretrained one.
  static void read_inputs(const StageContext& context) {
    if (context.stage.kind == StageKind::Report) return;
    for (const StageInput& input : context.inputs) {
      if (input.stage->method != "lora") read_file(input.folder / "model" / "model.safetensors");
    }
  }

  static void write_files(const StageContext& context) {
    const auto write = [&](const std::filesystem::path& name) {
      make_folder((context.folder / name).parent_path());
      write_file_atomically(context.folder / name, "x");
    };
    const bool is_lora = context.stage.method == "lora";
    const bool is_model = context.stage.kind == StageKind::Pretrain || !is_lora;
    if (context.stage.kind == StageKind::Spectrum) return write("spectrum.csv");
    if (context.stage.kind == StageKind::Report) return;
    write("metrics.jsonl");
    write(is_model ? "model/model.safetensors" : "adapter/adapter_model.safetensors");
    if (is_lora) write("basis-12ab.safetensors");  // as a full-rank one lies beside its adapters
    if (context.stage.kind == StageKind::Finetune) write("predictions.safetensors");
  }

  void stage_started(const Stage&, std::size_t, std::size_t) override {}
  void stage_progressed(const Stage&, const Progress&, double) override {}
  void stage_remarked(const Stage&, const std::string&) override {}
  void stage_ended(const Stage& stage, StageOutcome outcome, const StageResult&,
                   const std::string& message) override {
    outcomes_[stage.label] = outcome;
    messages_[stage.label] = message;
  }

  RunSummary run(Keep keep, const std::string& only = "") {
    RunServices services;
    services.observer = this;
    services.keep = keep;
    record_run(*store_, plan_, {{"processor", "a test's"}});
    return run_stages(plan_, select_stages(plan_, only), *store_, functions_, services);
  }

  bool has(const std::string& label, const std::string& name) {
    return std::filesystem::exists(folder_of(label) / name);
  }
  std::filesystem::path folder_of(const std::string& label) {
    return store_->folder_of(plan_.stages[place_of(plan_, label)]);
  }

  const Plan plan_ = example_plan({"seeds=[0]", "tasks=[\"mrpc\"]"});
  const std::string full_ = "finetune mrpc full seed 0";
  const std::string lora_ = "finetune mrpc lora seed 0";
  const std::string spectrum_ = "spectrum mrpc full seed 0";
  std::optional<StageStore> store_;
  StageFunctions functions_;
  std::map<std::string, StageOutcome> outcomes_;
  std::map<std::string, std::string> messages_;
};

TEST_F(KeepTest, AllLeavesEverything) {
  EXPECT_EQ(run(Keep::All).exit_status(), 0);
  EXPECT_TRUE(has(full_, "model"));
  EXPECT_TRUE(has("pretrain seed 0", "model"));
  EXPECT_FALSE(has(full_, "removed.txt"));
}

TEST_F(KeepTest, AdaptersRemovesFineTunedModelsAfterTheirSpectrum) {
  EXPECT_EQ(run(Keep::Adapters).exit_status(), 0);
  EXPECT_EQ(outcomes_[spectrum_], StageOutcome::Computed) << messages_[spectrum_];
  EXPECT_FALSE(has(full_, "model"));
  EXPECT_TRUE(has(full_, "predictions.safetensors"));
  EXPECT_TRUE(has(lora_, "adapter"));
  EXPECT_TRUE(has(lora_, "basis-12ab.safetensors"));
  EXPECT_TRUE(has("pretrain seed 0", "model"));
}

TEST_F(KeepTest, ResultsLeavesTablesMetricsAndPredictions) {
  EXPECT_EQ(run(Keep::Results).exit_status(), 0);
  for (const std::string& label : {std::string("pretrain seed 0"), full_, lora_}) {
    for (const char* gone : {"model", "adapter", "basis-12ab.safetensors"}) {
      EXPECT_FALSE(has(label, gone)) << label << " " << gone;
    }
    EXPECT_TRUE(has(label, "result.json") && has(label, "metrics.jsonl")) << label;
  }
  EXPECT_TRUE(has(lora_, "predictions.safetensors"));
  EXPECT_TRUE(has(spectrum_, "spectrum.csv"));
}

TEST_F(KeepTest, AStageWhoseFilesWentIsFinished) {
  run(Keep::Results);
  const RunSummary again = run(Keep::Results);
  EXPECT_EQ(again.count(StageOutcome::Reused), static_cast<int>(plan_.stages.size()));
}

TEST_F(KeepTest, ASelectedStageThatFailedKeepsItsInputs) {
  const StageFunction computes = functions_[StageKind::Spectrum];
  functions_[StageKind::Spectrum] = [](StageContext&) -> StageResult { throw Error("no room"); };
  EXPECT_EQ(run(Keep::Results).exit_status(), 2);
  EXPECT_TRUE(has(full_, "model") && has("pretrain seed 0", "model"));
  EXPECT_FALSE(has(lora_, "adapter"));
  functions_[StageKind::Spectrum] = computes;
  EXPECT_EQ(run(Keep::Results).exit_status(), 0);
  EXPECT_FALSE(has(full_, "model") || has("pretrain seed 0", "model"));
}

TEST_F(KeepTest, AStageThatAnotherProcessWorksOnKeepsItsInputs) {
  const std::optional<StageLock> lock = store_->try_lock(plan_.stages[place_of(plan_, spectrum_)]);
  run(Keep::Results, full_);
  EXPECT_TRUE(has(full_, "model"));
}

TEST_F(KeepTest, ALaterStageThatNeedsTheFilesSaysWhatToDo) {
  run(Keep::Adapters, full_);
  ASSERT_FALSE(has(full_, "model"));
  EXPECT_EQ(run(Keep::Adapters, spectrum_).exit_status(), 2);
  EXPECT_EQ(outcomes_[spectrum_], StageOutcome::Failed);
  EXPECT_THAT(messages_[spectrum_],
              AllOf(HasSubstr(full_), HasSubstr("--keep"), HasSubstr(folder_of(full_).string())));
  std::filesystem::remove_all(folder_of(full_));  // as it says
  EXPECT_EQ(run(Keep::Adapters, spectrum_).exit_status(), 0);
  EXPECT_EQ(outcomes_[full_], StageOutcome::Computed);
  EXPECT_EQ(outcomes_[spectrum_], StageOutcome::Computed);
}

// The note of a removal must not outlive what it tells of.
TEST_F(KeepTest, WithoutItsResultAStageIsComputedAgainWithItsFiles) {
  run(Keep::Adapters, full_);
  std::filesystem::remove(folder_of(full_) / "result.json");
  EXPECT_EQ(run(Keep::All, spectrum_).exit_status(), 0) << messages_[spectrum_];
}

TEST_F(KeepTest, CountsTheBytesOfAFolder) {
  make_folder(folder_ / "deep" / "er");
  write_file_atomically(folder_ / "deep" / "a", std::string(1000, 'x'));
  write_file_atomically(folder_ / "deep" / "er" / "b", std::string(1048, 'x'));
  EXPECT_EQ(folder_bytes(folder_ / "deep"), 2048u);
  EXPECT_EQ(folder_bytes(folder_ / "none"), 0u);
  EXPECT_EQ(format_bytes(2048), "2 KiB");
  EXPECT_EQ(format_bytes(std::uintmax_t{3} << 29), "1.5 GiB");
}

}  // namespace
}  // namespace basis
