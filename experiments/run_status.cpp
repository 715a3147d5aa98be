#include "experiments/run_status.h"

#include <algorithm>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "experiments/progress.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// Mean time of what is finished, of one kind and method if possible, else of one kind.
class MeanSeconds {
 public:
  void add(const Stage& stage, double seconds) {
    for (const std::string& key : keys(stage)) {
      sums_[key].first += seconds;
      ++sums_[key].second;
    }
  }
  std::optional<double> of(const Stage& stage) const {
    for (const std::string& key : keys(stage)) {
      if (const auto found = sums_.find(key); found != sums_.end()) {
        return found->second.first / found->second.second;
      }
    }
    return std::nullopt;
  }

 private:
  static std::vector<std::string> keys(const Stage& stage) {
    const std::string kind = name_of(stage.kind);
    return {kind + " " + stage.task + " " + stage.method, kind + " * " + stage.method, kind};
  }
  std::map<std::string, std::pair<double, int>> sums_;
};

std::optional<double> estimate(const StageStatus& status, const MeanSeconds& means) {
  if (status.state == StageState::Finished) return 0;
  const StageProgress& progress = status.progress;
  if (progress.step > 0 && progress.steps > 0) {
    const double pace = progress.seconds / static_cast<double>(progress.step);
    return pace * static_cast<double>(std::max<std::int64_t>(0, progress.steps - progress.step));
  }
  if (status.stage.kind == StageKind::Report) return 0;  // seconds
  return means.of(status.stage);
}

}  // namespace

int RunStatus::count(StageState state) const {
  int found = 0;
  for (const StageStatus& status : stages) found += status.state == state ? 1 : 0;
  return found;
}

double RunStatus::seconds_left() const {
  double seconds = 0;
  for (const StageStatus& status : stages) seconds += status.seconds_left.value_or(0);
  return seconds;
}

bool RunStatus::is_estimate_complete() const {
  for (const StageStatus& status : stages) {
    if (!status.seconds_left) return false;
  }
  return true;
}

RunStatus read_status(const std::filesystem::path& run_folder) {
  const Plan plan = read_plan(run_folder);
  const StageStore store(run_folder);
  RunStatus status;
  status.name = plan.config.name;
  MeanSeconds means;
  for (const Stage& stage : plan.stages) {
    StageStatus one{stage, store.state_of(stage), {}, 0, std::nullopt};
    if (one.state == StageState::Finished) {
      one.seconds = store.result_of(stage).value_or(StageResult{}).seconds;
      means.add(stage, one.seconds);
    } else {
      one.progress = store.progress_of(stage);
      one.seconds = one.progress.seconds;
    }
    status.stages.push_back(std::move(one));
  }
  for (StageStatus& one : status.stages) one.seconds_left = estimate(one, means);
  return status;
}

std::string format_status(const RunStatus& status) {
  const int finished = status.count(StageState::Finished);
  const int running = status.count(StageState::Running);
  const auto all = static_cast<int>(status.stages.size());
  std::string text = fmt::format("{}: {} of {} stages finished, {} running, {} left", status.name,
                                 finished, all, running, all - finished - running);
  if (finished < all) {
    const char* const bound = status.is_estimate_complete() ? "about" : "more than";
    text +=
        fmt::format("; {} {} left on one process", bound, format_duration(status.seconds_left()));
  }
  text += "\n";
  for (const StageStatus& one : status.stages) {
    text += fmt::format("  {:<12} {:<48}", name_of(one.state), one.stage.label);
    if (one.seconds > 0) text += fmt::format(" {:>8}", format_duration(one.seconds));
    if (one.progress.steps > 0) {
      text += fmt::format("  step {}/{}", one.progress.step, one.progress.steps);
    }
    while (text.back() == ' ') text.pop_back();
    text += "\n";
  }
  return text;
}

}  // namespace basis
