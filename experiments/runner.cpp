#include "experiments/runner.h"

#include <fmt/format.h>

#include "experiments/failure.h"
#include "experiments/interrupt.h"
#include "experiments/recorder.h"
#include "experiments/trainer.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr double seconds_between_progress_files = 5;

/// What became of a stage, with the words for the observer.
struct Ended {
  StageOutcome outcome = StageOutcome::Failed;
  StageResult result;
  std::string message;
};

class Runner {
 public:
  Runner(const Plan& plan, const StageStore& store, const StageFunctions& functions,
         const RunServices& services)
      : plan_(plan), store_(store), functions_(functions), services_(services) {}

  RunSummary run(const std::vector<std::size_t>& selected);

 private:
  Ended run_stage(const Stage& stage);
  /// Those inputs that are finished; `missing` becomes the label of one that is not.
  std::vector<StageInput> inputs_of(const Stage& stage, std::string& missing) const;
  StageResult compute(const Stage& stage, std::vector<StageInput> inputs);

  const Plan& plan_;
  const StageStore& store_;
  const StageFunctions& functions_;
  const RunServices& services_;
  RunSummary summary_;
};

RunSummary Runner::run(const std::vector<std::size_t>& selected) {
  for (std::size_t place = 0; place < selected.size(); ++place) {
    const Stage& stage = plan_.stages[selected[place]];
    if (services_.stop_flag != nullptr && services_.stop_flag->load()) {
      ++summary_.counts[StageOutcome::Interrupted];
      break;
    }
    if (services_.observer != nullptr) {
      services_.observer->stage_started(stage, place, selected.size());
    }
    const Ended ended = run_stage(stage);
    ++summary_.counts[ended.outcome];
    if (services_.observer != nullptr) {
      services_.observer->stage_ended(stage, ended.outcome, ended.result, ended.message);
    }
    if (ended.outcome == StageOutcome::Interrupted) break;
    if (ended.outcome == StageOutcome::Computed) record_results(store_, plan_);
  }
  record_results(store_, plan_);
  return summary_;
}

Ended Runner::run_stage(const Stage& stage) {
  try {
    if (auto result = store_.result_of(stage)) {
      store_.remove_checkpoints(stage);  // of a process killed just before it did
      return {StageOutcome::Reused, *result, ""};
    }
    const bool is_report = stage.kind == StageKind::Report;
    std::string missing;
    std::vector<StageInput> inputs = inputs_of(stage, missing);
    if (!missing.empty() && (!is_report || inputs.empty())) {
      return {StageOutcome::Skipped, {}, fmt::format("needs {}, which is not finished", missing)};
    }
    const std::optional<StageLock> lock = store_.try_lock(stage);
    if (!lock) return {StageOutcome::Busy, {}, "another process works on it; run again later"};
    // It may have been finished between the look and the lock.
    if (auto result = store_.result_of(stage)) return {StageOutcome::Reused, *result, ""};
    store_.remove_partial_files(stage);
    StageResult result = compute(stage, std::move(inputs));
    if (missing.empty()) {
      store_.finish(stage, result);
      store_.remove_checkpoints(stage);
    }
    return {StageOutcome::Computed, result, ""};
  } catch (const Cancelled&) {
    return {StageOutcome::Interrupted, {}, ""};
  } catch (const std::exception& error) {
    if (const auto message = message_for_user(error)) return {StageOutcome::Failed, {}, *message};
    summary_.had_internal_error = true;
    return {StageOutcome::Failed, {}, fmt::format("internal error: {}", error.what())};
  }
}

std::vector<StageInput> Runner::inputs_of(const Stage& stage, std::string& missing) const {
  std::vector<StageInput> inputs;
  for (const std::size_t place : stage.inputs) {
    const Stage& input = plan_.stages[place];
    if (auto result = store_.result_of(input)) {
      inputs.push_back({&input, store_.folder_of(input), std::move(*result)});
    } else {
      missing = input.label;
    }
  }
  return inputs;
}

StageResult Runner::compute(const Stage& stage, std::vector<StageInput> inputs) {
  const auto function = functions_.find(stage.kind);
  ensure(function != functions_.end(), "every kind of stage has a function");
  const double start = services_.clock();
  const double seconds_before = store_.progress_of(stage).seconds;
  double written = start;
  StageContext context{
      plan_,           stage,   store_,  store_.folder_of(stage), std::move(inputs), services_.data,
      services_.cache, nullptr, nullptr, services_.stop_flag};
  StageProgress last;
  context.report_progress = [&](const Progress& progress) {
    const double now = services_.clock();
    last = {progress.step, progress.steps, seconds_before + now - start};
    if (now - written >= seconds_between_progress_files) {
      written = now;
      store_.write_progress(stage, last);
    }
    if (services_.observer != nullptr) {
      services_.observer->stage_progressed(stage, progress, now - start);
    }
  };
  context.report_remark = [&](const std::string& remark) {
    if (services_.observer != nullptr) services_.observer->stage_remarked(stage, remark);
  };
  try {
    StageResult result = function->second(context);
    result.seconds = seconds_before + services_.clock() - start;
    return result;
  } catch (...) {
    last.seconds = seconds_before + services_.clock() - start;
    try {
      store_.write_progress(stage, last);
    } catch (const Error&) {
      // What stopped the stage matters more.
    }
    throw;
  }
}

}  // namespace

int RunSummary::exit_status() const {
  if (count(StageOutcome::Interrupted) > 0) return interrupted_status;
  if (had_internal_error) return 70;
  const int missing =
      count(StageOutcome::Failed) + count(StageOutcome::Skipped) + count(StageOutcome::Busy);
  return missing > 0 ? 2 : 0;
}

RunSummary run_stages(const Plan& plan, const std::vector<std::size_t>& selected,
                      const StageStore& store, const StageFunctions& functions,
                      const RunServices& services) {
  return Runner(plan, store, functions, services).run(selected);
}

}  // namespace basis
