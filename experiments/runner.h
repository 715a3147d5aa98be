#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/keep.h"
#include "experiments/stage.h"
#include "experiments/stage_result.h"
#include "experiments/stage_store.h"

namespace basis {

class DataRoot;
class Cache;

/// What a stage reports of itself while it runs, as often as it likes.
struct Progress {
  std::int64_t step = 0;
  std::int64_t steps = 0;   // of the whole stage
  double loss = 0;          // NaN: none to tell
  double tokens_per_s = 0;  // 0: none to tell
};

/// A finished stage that another one reads.
struct StageInput {
  const Stage* stage = nullptr;
  std::filesystem::path folder;
  StageResult result;
};

/// All that a stage function gets.
struct StageContext {
  const Plan& plan;
  const Stage& stage;
  const StageStore& store;
  std::filesystem::path folder;    // the stage's own; what an interrupted process left is in it
  std::vector<StageInput> inputs;  // in the order of stage.inputs; the report's may be fewer
  const DataRoot* data = nullptr;
  Cache* cache = nullptr;
  std::function<void(const Progress&)> report_progress = nullptr;
  /// A line that the user should see though nothing failed.
  std::function<void(const std::string&)> report_remark = nullptr;
  const std::atomic<bool>* stop_flag = nullptr;

  /// Reports a remark where there is one and somebody listens.
  void remark(const std::string& text) const {
    if (!text.empty() && report_remark) report_remark(text);
  }

  /// Checkpoints go here; the runner removes it once the stage's result stands.
  std::filesystem::path checkpoint_folder() const { return folder / "checkpoints"; }
  /// True after Ctrl-C: save a checkpoint and throw Cancelled (experiments/trainer.h).
  bool should_stop() const { return stop_flag != nullptr && stop_flag->load(); }
};

/// Computes a stage. Throws Error, or Cancelled after a checkpoint. Called again with the same
/// folder it goes on from its last checkpoint, to the same bits.
using StageFunction = std::function<StageResult(StageContext&)>;
using StageFunctions = std::map<StageKind, StageFunction>;

enum class StageOutcome : std::uint8_t { Computed, Reused, Failed, Skipped, Busy, Interrupted };

/// What became of a stage, with the words for the observer.
struct StageEnd {
  StageOutcome outcome = StageOutcome::Failed;
  StageResult result;
  std::string message;
  bool is_internal_error = false;
};

/// Told what happens, in order; the program prints it. `place` counts from 0 among `count` stages.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void stage_started(const Stage&, std::size_t place, std::size_t count) = 0;
  virtual void stage_progressed(const Stage&, const Progress&, double seconds) = 0;
  /// Something that the user should know, in one line; the stage goes on.
  virtual void stage_remarked(const Stage&, const std::string& remark) = 0;
  /// `message`: what failed, or which input is missing.
  virtual void stage_ended(const Stage&, StageOutcome, const StageResult&,
                           const std::string& message) = 0;
};

struct RunServices {
  const DataRoot* data = nullptr;
  Cache* cache = nullptr;
  RunObserver* observer = nullptr;
  const std::atomic<bool>* stop_flag = nullptr;
  Keep keep = Keep::All;
  /// Seconds since any fixed moment.
  std::function<double()> clock = [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
  };
};

struct RunSummary {
  std::map<StageOutcome, int> counts;
  bool had_internal_error = false;

  int count(StageOutcome outcome) const {
    const auto found = counts.find(outcome);
    return found == counts.end() ? 0 : found->second;
  }
  /// 0: all is there; 2: a stage failed or is another process's; 70: an error inside Basis; 130.
  int exit_status() const;
};

/// What both ways of running stages do at the beginning and end of each: the observer is told,
/// outcomes are counted, results.csv is written anew, files that RunServices::keep does not name
/// go.
class RunTally {
 public:
  RunTally(const Plan& plan, const std::vector<std::size_t>& selected, const StageStore& store,
           const RunServices& services)
      : plan_(plan), selected_(selected), store_(store), services_(services) {}

  /// `place` in `selected`.
  void start(std::size_t place);
  void end(std::size_t place, const StageEnd& end);
  /// Stages are left that an interrupt kept from starting.
  void count_interrupted() { ++summary_.counts[StageOutcome::Interrupted]; }
  /// After the last one.
  RunSummary close();

  bool should_stop() const { return services_.stop_flag != nullptr && services_.stop_flag->load(); }

 private:
  const Plan& plan_;
  const std::vector<std::size_t>& selected_;
  const StageStore& store_;
  const RunServices& services_;
  RunSummary summary_;
};

/// How a stage ends that needs no work: it is finished, its result is damaged, or an input is not
/// there. Nothing where it is to be computed.
std::optional<StageEnd> end_without_work(const Plan& plan, const Stage& stage,
                                         const StageStore& store);

/// Runs one stage under its lock, if it needs work. Throws nothing: a failure is an outcome.
StageEnd run_stage(const Plan& plan, const Stage& stage, const StageStore& store,
                   const StageFunctions& functions, const RunServices& services);

/// Runs the selected stages of a plan, inputs first. A finished stage is reused; a failing one is
/// reported and all that do not need it go on. The report is made of what is there, and counts as
/// finished only when nothing is missing. results.csv is written anew after every stage.
RunSummary run_stages(const Plan& plan, const std::vector<std::size_t>& selected,
                      const StageStore& store, const StageFunctions& functions,
                      const RunServices& services);

}  // namespace basis
