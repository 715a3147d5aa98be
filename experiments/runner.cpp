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

/// The inputs of a stage that are finished, and the first that is not.
struct FoundInputs {
  std::vector<StageInput> inputs;
  const Stage* missing = nullptr;
};

FoundInputs find_inputs(const Plan& plan, const Stage& stage, const StageStore& store) {
  FoundInputs found;
  for (const std::size_t place : stage.inputs) {
    const Stage& input = plan.stages[place];
    if (auto result = store.result_of(input)) {
      found.inputs.push_back({&input, store.folder_of(input), std::move(*result)});
    } else if (found.missing == nullptr) {
      found.missing = &input;
    }
  }
  return found;
}

/// The report reads results alone, which always stay.
void expect_files_of(const std::vector<StageInput>& inputs) {
  for (const StageInput& input : inputs) {
    if (!has_removed_files(input.folder)) continue;
    throw Error(
        fmt::format("needs the files of {}, which --keep removed when it was finished: remove the "
                    "folder {} and "
                    "run the same command, which computes it again",
                    input.stage->label, input.folder.string()));
  }
}

/// What stands in the way of a stage, as an outcome; else its inputs.
std::optional<StageEnd> end_by_inputs(const Plan& plan, const Stage& stage, const StageStore& store,
                                      FoundInputs& found) {
  if (auto result = store.result_of(stage)) {
    store.remove_checkpoints(stage);  // of a process killed just before it did
    return StageEnd{StageOutcome::Reused, *result, ""};
  }
  const bool is_report = stage.kind == StageKind::Report;
  found = find_inputs(plan, stage, store);
  if (found.missing != nullptr && (!is_report || found.inputs.empty())) {
    return StageEnd{StageOutcome::Skipped,
                    {},
                    fmt::format("needs {}, which is not finished", found.missing->label)};
  }
  if (!is_report) expect_files_of(found.inputs);
  return std::nullopt;
}

/// The outcome of the exception that is being handled.
StageEnd end_by_exception() {
  try {
    throw;
  } catch (const Cancelled&) {
    return {StageOutcome::Interrupted, {}, ""};
  } catch (const std::exception& error) {
    if (const auto message = message_for_user(error)) return {StageOutcome::Failed, {}, *message};
    return {StageOutcome::Failed, {}, fmt::format("internal error: {}", error.what()), true};
  }
}

StageResult compute(const Plan& plan, const Stage& stage, const StageStore& store,
                    const StageFunctions& functions, const RunServices& services,
                    std::vector<StageInput> inputs) {
  const auto function = functions.find(stage.kind);
  ensure(function != functions.end(), "every kind of stage has a function");
  const double start = services.clock();
  const double seconds_before = store.progress_of(stage).seconds;
  double written = start;
  StageContext context{
      plan,           stage,   store,   store.folder_of(stage), std::move(inputs), services.data,
      services.cache, nullptr, nullptr, services.stop_flag};
  StageProgress last;
  context.report_progress = [&](const Progress& progress) {
    const double now = services.clock();
    last = {progress.step, progress.steps, seconds_before + now - start};
    if (now - written >= seconds_between_progress_files) {
      written = now;
      store.write_progress(stage, last);
    }
    if (services.observer != nullptr) {
      services.observer->stage_progressed(stage, progress, now - start);
    }
  };
  context.report_remark = [&](const std::string& remark) {
    if (services.observer != nullptr) services.observer->stage_remarked(stage, remark);
  };
  try {
    StageResult result = function->second(context);
    result.seconds = seconds_before + services.clock() - start;
    return result;
  } catch (...) {
    last.seconds = seconds_before + services.clock() - start;
    try {
      store.write_progress(stage, last);
    } catch (const Error&) {
      // What stopped the stage matters more.
    }
    throw;
  }
}

}  // namespace

std::optional<StageEnd> end_without_work(const Plan& plan, const Stage& stage,
                                         const StageStore& store) {
  try {
    FoundInputs inputs;
    return end_by_inputs(plan, stage, store, inputs);
  } catch (const std::exception&) {
    return end_by_exception();
  }
}

StageEnd run_stage(const Plan& plan, const Stage& stage, const StageStore& store,
                   const StageFunctions& functions, const RunServices& services) {
  try {
    FoundInputs found;
    if (auto end = end_by_inputs(plan, stage, store, found)) return *end;
    const std::optional<StageLock> lock = store.try_lock(stage);
    if (!lock) return {StageOutcome::Busy, {}, "another process works on it; run again later"};
    // It may have been finished between the look and the lock.
    if (auto result = store.result_of(stage)) return {StageOutcome::Reused, *result, ""};
    store.remove_partial_files(stage);
    forget_removal(store, stage);
    StageResult result = compute(plan, stage, store, functions, services, std::move(found.inputs));
    if (found.missing == nullptr) {
      store.finish(stage, result);
      store.remove_checkpoints(stage);
    }
    return {StageOutcome::Computed, result, ""};
  } catch (const std::exception&) {
    return end_by_exception();
  }
}

void RunTally::start(std::size_t place) {
  if (services_.observer == nullptr) return;
  services_.observer->stage_started(plan_.stages[selected_[place]], place, selected_.size());
}

void RunTally::end(std::size_t place, const StageEnd& end) {
  ++summary_.counts[end.outcome];
  summary_.had_internal_error = summary_.had_internal_error || end.is_internal_error;
  if (services_.observer != nullptr) {
    services_.observer->stage_ended(plan_.stages[selected_[place]], end.outcome, end.result,
                                    end.message);
  }
  if (end.outcome != StageOutcome::Computed) return;
  record_results(store_, plan_);
  remove_unneeded(plan_, selected_, store_, services_.keep);
}

RunSummary RunTally::close() {
  record_results(store_, plan_);
  remove_unneeded(plan_, selected_, store_, services_.keep);
  return summary_;
}

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
  RunTally tally(plan, selected, store, services);
  for (std::size_t place = 0; place < selected.size(); ++place) {
    if (tally.should_stop()) {
      tally.count_interrupted();
      break;
    }
    tally.start(place);
    const StageEnd end = run_stage(plan, plan.stages[selected[place]], store, functions, services);
    tally.end(place, end);
    if (end.outcome == StageOutcome::Interrupted) break;
  }
  return tally.close();
}

}  // namespace basis
