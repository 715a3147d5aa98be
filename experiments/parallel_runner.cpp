#include "experiments/parallel_runner.h"

#include <algorithm>
#include <map>

#include "tensor/error.h"

namespace basis {
namespace {

class ParallelRunner {
 public:
  ParallelRunner(const Plan& plan, const std::vector<std::size_t>& selected,
                 const StageStore& store, StageWorkers& workers, const RunServices& services,
                 std::int64_t jobs)
      : plan_(plan),
        store_(store),
        workers_(workers),
        services_(services),
        jobs_(static_cast<std::size_t>(jobs)),
        tally_(plan, selected, store, services) {
    for (std::size_t place = 0; place < selected.size(); ++place) waiting_[selected[place]] = place;
  }

  RunSummary run();

 private:
  struct Running {
    std::size_t place;  // among the selected
    double start;       // by services_.clock
  };

  bool has_all_inputs(std::size_t stage) const;
  /// Starts or settles what may; one that is settled can make others ready.
  void start_ready();
  void begin(std::size_t stage, std::size_t place);
  void take(const StageWorkers::Message& message);

  const Plan& plan_;
  const StageStore& store_;
  StageWorkers& workers_;
  const RunServices& services_;
  std::size_t jobs_;
  RunTally tally_;
  std::map<std::size_t, std::size_t> waiting_;  // place in the plan -> among the selected
  std::map<std::size_t, Running> running_;      // by place in the plan
};

/// An input that was not selected does not run here; whether it is there, its reader will see.
bool ParallelRunner::has_all_inputs(std::size_t stage) const {
  const std::vector<std::size_t>& inputs = plan_.stages[stage].inputs;
  return std::none_of(inputs.begin(), inputs.end(), [&](std::size_t input) {
    return waiting_.contains(input) || running_.contains(input);
  });
}

void ParallelRunner::begin(std::size_t stage, std::size_t place) {
  tally_.start(place);
  if (const auto end = end_without_work(plan_, plan_.stages[stage], store_)) {
    tally_.end(place, *end);
    return;
  }
  try {
    workers_.start(stage);
    running_[stage] = {place, services_.clock()};
  } catch (const Error& error) {
    tally_.end(place, {StageOutcome::Failed, {}, error.what()});
  }
}

void ParallelRunner::start_ready() {
  // Inputs stand before those that need them: one pass settles all that needs no work.
  for (auto next = waiting_.begin(); next != waiting_.end() && running_.size() < jobs_;) {
    const auto [stage, place] = *next;
    if (!has_all_inputs(stage)) {
      ++next;
      continue;
    }
    next = waiting_.erase(next);
    begin(stage, place);
  }
}

void ParallelRunner::take(const StageWorkers::Message& message) {
  const auto found = running_.find(message.stage);
  ensure(found != running_.end(), "only a stage that runs has news");
  const Running running = found->second;
  const Stage& stage = plan_.stages[message.stage];
  if (const auto* end = std::get_if<StageEnd>(&message.news)) {
    running_.erase(found);
    tally_.end(running.place, *end);
  } else if (services_.observer == nullptr) {
    return;
  } else if (const auto* progress = std::get_if<Progress>(&message.news)) {
    services_.observer->stage_progressed(stage, *progress, services_.clock() - running.start);
  } else {
    services_.observer->stage_remarked(stage, std::get<std::string>(message.news));
  }
}

RunSummary ParallelRunner::run() {
  bool is_interrupted = false;
  for (;;) {
    if (!is_interrupted && tally_.should_stop()) {
      is_interrupted = true;
      workers_.interrupt();
      if (!waiting_.empty()) tally_.count_interrupted();
    }
    if (!is_interrupted) start_ready();
    if (running_.empty()) break;
    if (const auto message = workers_.wait()) take(*message);
  }
  return tally_.close();
}

}  // namespace

RunSummary run_stages_in_parallel(const Plan& plan, const std::vector<std::size_t>& selected,
                                  const StageStore& store, StageWorkers& workers,
                                  const RunServices& services, std::int64_t jobs) {
  ensure(jobs > 0, "at least one stage runs at a time");
  return ParallelRunner(plan, selected, store, workers, services, jobs).run();
}

}  // namespace basis
