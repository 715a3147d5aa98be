#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiments/claims.h"
#include "experiments/contains.h"
#include "experiments/cross_fitted.h"
#include "experiments/html.h"
#include "experiments/report_scores.h"

namespace basis {
namespace {

constexpr int bootstrap_draws = 2000;
constexpr std::uint64_t bootstrap_seed = 0;

/// The answers of a task that the claim's methods, or families, have in common, seed for seed.
struct TaskRuns {
  std::string task;
  std::vector<std::map<std::string, const Predictions*>> seeds;  // by method
  std::int64_t rows = 0;
};

TaskRuns runs_of(const ReportData& data, const std::string& task,
                 const std::vector<std::string>& methods) {
  std::map<Replicate, std::map<std::string, const Predictions*>> by_seed;
  for (const ReportRun& run : data.runs) {
    const bool is_asked = contains(methods, run.method);
    if (run.task == task && is_asked && run.predictions)
      by_seed[run.replicate()][run.method] = &*run.predictions;
  }
  for (const CrossFitted& fit : data.cross_fitted) {
    if (fit.task != task || !contains(methods, fit.family)) continue;
    by_seed[{fit.pretrain_seed, fit.seed}][fit.family] = &fit.predictions;
  }
  TaskRuns runs;
  runs.task = task;
  for (const auto& [seed, of_methods] : by_seed) {
    if (of_methods.size() != std::set<std::string>(methods.begin(), methods.end()).size()) continue;
    runs.seeds.push_back(of_methods);
    runs.rows = of_methods.begin()->second->expected.size();
  }
  return runs;
}

/// A method's mean score over the drawn seeds on the drawn rows.
double mean_score(const TaskRuns& runs, const std::string& method, const Resample& drawn) {
  double sum = 0;
  for (const std::int64_t seed : drawn.seeds) {
    sum += score_on(*runs.seeds[static_cast<std::size_t>(seed)].at(method), drawn.rows);
  }
  return sum / static_cast<double>(drawn.seeds.size());
}

/// What the endpoint is about, on the drawn seeds and rows of every task.
using Statistic = std::function<double(const std::vector<TaskRuns>&, const std::vector<Resample>&)>;

double difference_of(const std::vector<TaskRuns>& tasks, const std::vector<Resample>& drawn,
                     const std::string& method, const std::string& control) {
  double sum = 0;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    sum += mean_score(tasks[t], method, drawn[t]) - mean_score(tasks[t], control, drawn[t]);
  }
  return sum / static_cast<double>(tasks.size());
}

Interval bootstrapped(const std::vector<TaskRuns>& tasks, const Statistic& statistic,
                      double confidence) {
  std::vector<CrossedSize> sizes;
  for (const TaskRuns& runs : tasks) sizes.push_back({std::ssize(runs.seeds), runs.rows});
  return crossed_bootstrap(
      sizes, [&](const std::vector<Resample>& drawn) { return statistic(tasks, drawn); },
      bootstrap_draws, bootstrap_seed, confidence);
}

/// Tasks that may decide, with the runs that all methods have; names of weak ones go to `weak`.
std::vector<TaskRuns> deciding_tasks(const ReportData& data, const ClaimSettings& claim,
                                     const std::vector<std::string>& methods,
                                     std::vector<std::string>& weak) {
  const ScoreTable table = score_table(data.config, data.runs);
  std::vector<TaskRuns> tasks;
  for (std::size_t t = 0; t < table.tasks.size(); ++t) {
    if (!is_about(claim, table.tasks[t])) continue;
    TaskRuns runs = runs_of(data, table.tasks[t], methods);
    if (runs.seeds.size() < 2) continue;
    if (table.is_weak[t]) {
      weak.push_back(table.tasks[t]);
    } else {
      tasks.push_back(std::move(runs));
    }
  }
  return tasks;
}

void add_rows(ClaimAnswer& answer, const std::vector<TaskRuns>& tasks, const std::string& label,
              const Statistic& statistic, double confidence) {
  for (const TaskRuns& runs : tasks) {
    ClaimRow row;
    row.label = fmt::format("{}, {} seeds", runs.task, runs.seeds.size());
    row.value = bootstrapped({runs}, statistic, confidence);
    row.meaning = told_of_zero(row);
    answer.rows.push_back(std::move(row));
  }
  ClaimRow row;
  row.label = label;
  row.value = bootstrapped(tasks, statistic, confidence);
  row.meaning = told_of_zero(row);
  answer.rows.push_back(std::move(row));
}

std::string undecided(const std::vector<std::string>& weak) {
  std::string reason = "It takes two seeds or more of every method, with their predictions.";
  if (!weak.empty()) {
    reason += fmt::format(" On {} full fine-tuning is not known to beat the majority class.",
                          fmt::join(weak, ", "));
  }
  return reason;
}

}  // namespace

ClaimAnswer answer_score_share(const ReportData& data, const ClaimSettings& claim) {
  ClaimAnswer answer;
  answer.unit =
      fmt::format("({} − {}) / ({} − {})", claim.method, claim.control, claim.ceiling, claim.floor);
  std::vector<std::string> weak;
  const std::vector<TaskRuns> tasks =
      deciding_tasks(data, claim, {claim.method, claim.control, claim.ceiling, claim.floor}, weak);
  answer.reason = undecided(weak);
  if (tasks.empty()) return answer;
  const Statistic share = [&claim](const auto& runs, const auto& drawn) {
    return difference_of(runs, drawn, claim.method, claim.control) /
           difference_of(runs, drawn, claim.ceiling, claim.floor);
  };
  add_rows(answer, tasks, "all tasks", share, answer.confidence);
  add_score_specifications(data, claim, answer);
  const Interval& all = answer.rows.back().value;
  answer.verdict = all.low > 0 ? Verdict::Held : Verdict::Not;
  answer.reason =
      fmt::format("{} stands above {} by {} of the way from {} to {} ({} to {}).", claim.method,
                  claim.control, significant_text(all.estimate, 3), claim.floor, claim.ceiling,
                  significant_text(all.low, 3), significant_text(all.high, 3));
  return answer;
}

namespace {

/// Rows of method minus control in points; the last is that of all tasks. Without rows where
/// nothing can be said, and `reason` says why.
ClaimAnswer points_between(const ReportData& data, const ClaimSettings& claim, double confidence) {
  ClaimAnswer answer;
  answer.confidence = confidence;
  answer.unit = fmt::format("{} − {}, points", claim.method, claim.control);
  std::vector<std::string> weak;
  const std::vector<TaskRuns> tasks =
      deciding_tasks(data, claim, {claim.method, claim.control}, weak);
  answer.reason = undecided(weak);
  if (tasks.empty()) return answer;
  const Statistic points = [&claim](const auto& runs, const auto& drawn) {
    return 100 * difference_of(runs, drawn, claim.method, claim.control);
  };
  add_rows(answer, tasks, "all tasks", points, confidence);
  add_score_specifications(data, claim, answer);
  return answer;
}

}  // namespace

namespace {

/// " Chosen of s-ct: s-ct-0.9 (8 of 10 halves), s-ct-1 (2)." for each side that is a family.
std::string told_choices(const ReportData& data, const ClaimSettings& claim) {
  std::string told;
  for (const std::string& side : {claim.method, claim.control}) {
    std::map<std::string, int> counts;
    int halves = 0;
    for (const CrossFitted& fit : data.cross_fitted) {
      if (fit.family != side || !is_about(claim, fit.task)) continue;
      for (const std::string& method : fit.chosen) ++counts[method];
      halves += 2;
    }
    std::string choices;
    for (const auto& [method, count] : counts) {
      choices +=
          fmt::format("{}{} ({} of {} halves)", choices.empty() ? "" : ", ", method, count, halves);
    }
    if (!choices.empty()) told += fmt::format(" Chosen of {}: {}.", side, choices);
  }
  return told;
}

}  // namespace

ClaimAnswer answer_score_margin(const ReportData& data, const ClaimSettings& claim) {
  constexpr double confidence = 0.9;  // its lower end is the one-sided bound of 95 %
  ClaimAnswer answer = points_between(data, claim, confidence);
  if (answer.rows.empty()) return answer;
  const Interval& all = answer.rows.back().value;
  answer.verdict = all.low > claim.margin ? Verdict::Held : Verdict::Not;
  answer.reason = fmt::format(
      "{} minus {} is {} points; the one-sided 95 % bound is {}, and above {} is asked for.",
      claim.method, claim.control, significant_text(all.estimate, 3), significant_text(all.low, 3),
      claim.margin);
  return answer;
}

ClaimAnswer answer_score_difference(const ReportData& data, const ClaimSettings& claim) {
  ClaimAnswer answer = points_between(data, claim, 0.95);
  if (answer.rows.empty()) return answer;
  const Interval& all = answer.rows.back().value;
  answer.verdict = all.low > 0 ? Verdict::Held : all.high < 0 ? Verdict::Not : Verdict::Undecided;
  answer.reason =
      fmt::format("{} minus {} is {} points ({} to {}){}.", claim.method, claim.control,
                  significant_text(all.estimate, 3), significant_text(all.low, 3),
                  significant_text(all.high, 3),
                  answer.verdict == Verdict::Undecided ? ": no difference is known" : "");
  answer.reason += told_choices(data, claim);
  return answer;
}

}  // namespace basis
