#include <cmath>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/html.h"

namespace basis {
namespace {

/// One side's value by task and seeds: what differs from the other side's in nothing else.
using Round = std::tuple<std::string, std::int64_t, std::int64_t>;
using Values = std::map<Round, double>;

/// Whose runs a side of the claim is of.
struct Side {
  std::string name;
  std::string model;   // of two models; else any
  std::string method;  // with two models as the config has it, where empty is the pretraining

  template <class Run>
  bool has(const Run& run) const {
    return model.empty() ? run.method == method && !run.base_method.empty()
                         : run.model == model && run.base_method == method;
  }
};

struct Sides {
  Side first, second;
};

Sides sides_of(const ClaimSettings& claim) {
  if (claim.models.size() != 2) {
    return {{claim.method, "", claim.method}, {claim.control, "", claim.control}};
  }
  const auto side = [&](const std::string& model) { return Side{model, model, claim.method}; };
  return {side(claim.models[0]), side(claim.models[1])};
}

/// The first side's value and the second's of every round that has both.
using Pairs = std::map<Round, std::pair<double, double>>;

Pairs paired(const Values& first, const Values& second) {
  Pairs pairs;
  for (const auto& [round, value] : first) {
    const auto other = second.find(round);
    if (other != second.end()) pairs[round] = {value, other->second};
  }
  return pairs;
}

/// Means over tasks of each pair of seeds.
std::vector<double> means_by_seeds(const std::map<Round, double>& values) {
  std::map<Replicate, std::vector<double>> by_seeds;
  for (const auto& [round, value] : values) {
    by_seeds[{std::get<1>(round), std::get<2>(round)}].push_back(value);
  }
  std::vector<double> means;
  for (const auto& [seeds, of_tasks] : by_seeds) means.push_back(mean(of_tasks));
  return means;
}

/// A row a task, then that of all; what `row` makes of the values of several seeds.
template <class RowOf>
void add_rows(ClaimAnswer& answer, const std::map<Round, double>& values, RowOf row) {
  std::map<std::string, std::map<Round, double>> by_task;
  for (const auto& [round, value] : values) by_task[std::get<0>(round)][round] = value;
  for (const auto& [task, of_task] : by_task) {
    answer.rows.push_back(
        row(fmt::format("{}, {} seeds", task, of_task.size()), means_by_seeds(of_task)));
  }
  answer.rows.push_back(row("all, by seeds", means_by_seeds(values)));
}

/// By where the last row's interval lies; the numbers in words.
std::string decide(ClaimAnswer& answer, double neutral) {
  const ClaimRow& all = answer.rows.back();
  if (all.has_interval) {
    answer.verdict = all.value.low > neutral    ? Verdict::Held
                     : all.value.high < neutral ? Verdict::Not
                                                : Verdict::Undecided;
  }
  return fmt::format("{} ({} to {}){}", significant_text(all.value.estimate, 3),
                     significant_text(all.value.low, 3), significant_text(all.value.high, 3),
                     !all.has_interval                      ? ": one seed decides nothing"
                     : answer.verdict == Verdict::Undecided ? ": no difference is known"
                                                            : "");
}

std::string told_of_one(const ClaimRow& row) {
  if (!row.has_interval) return "one seed: no interval";
  if (row.value.low > 1) return "above 1";
  return row.value.high < 1 ? "below 1" : "the interval holds 1";
}

struct Radii {
  Values values;
  int past_grid = 0;  // basins that are larger than the grid tells
};

Radii radii_of(const ReportData& data, const ClaimSettings& claim, const Side& side) {
  Radii radii;
  for (const ReportLandscape& one : data.landscapes) {
    const bool is_asked = side.has(one) && (one.is_of_pretraining() || is_about(claim, one.task));
    if (!is_asked || !one.has_basin(relative_noise)) continue;
    const Basin basin = basin_of(one, relative_noise);
    radii.values[{one.task, one.pretrain_seed, one.seed}] = basin.radius.estimate;
    radii.past_grid += basin.is_past_grid ? 1 : 0;
  }
  return radii;
}

}  // namespace

ClaimAnswer answer_basin_ratio(const ReportData& data, const ClaimSettings& claim) {
  const auto [first, second] = sides_of(claim);
  ClaimAnswer answer;
  answer.unit = fmt::format("basin of {} / basin of {}, relative σ", first.name, second.name);
  const Radii of_first = radii_of(data, claim, first), of_second = radii_of(data, claim, second);
  std::map<Round, double> logs;
  for (const auto& [round, radii] : paired(of_first.values, of_second.values)) {
    if (radii.first > 0 && radii.second > 0) {
      logs[round] = std::log(radii.first / radii.second);
      continue;
    }
    answer.reason = fmt::format(
        "A basin of {} on {} ends before the smallest σ: \"relative_sigmas\" in [landscape] must "
        "begin lower.",
        radii.first > 0 ? second.name : first.name, std::get<0>(round));
    return answer;
  }
  answer.reason =
      "It takes landscapes of both with the kind noise-relative, of two seeds or more, where they "
      "score above chance.";
  if (logs.empty()) return answer;
  add_rows(answer, logs, [](const std::string& label, std::vector<double> values) {
    for (double& value : values) value = std::exp(value);
    ClaimRow row = ratio_row_of(label, values);
    row.meaning = told_of_one(row);
    return row;
  });
  answer.reason = fmt::format("The basin of {} is that of {} times {}.", first.name, second.name,
                              decide(answer, 1));
  if (of_first.past_grid + of_second.past_grid > 0) {
    answer.reason += fmt::format(
        " Basins larger than the grid of σ, which count as its end: {} of {}, {} of {}.",
        of_first.past_grid, first.name, of_second.past_grid, second.name);
  }
  return answer;
}

ClaimAnswer answer_kept_difference(const ReportData& data, const ClaimSettings& claim) {
  const auto [first, second] = sides_of(claim);
  ClaimAnswer answer;
  answer.unit = fmt::format("{} − {}, points of the share kept", first.name, second.name);
  answer.reason = "It takes [retention] of both, of two seeds or more.";
  const auto kept_by = [&](const Side& side) {
    Values values;
    for (const ReportRun& run : data.retentions) {
      const double kept = metric_named(run.result, "kept");
      if (!side.has(run) || !is_about(claim, run.task) || !std::isfinite(kept)) continue;
      values[{run.task, run.pretrain_seed, run.seed}] = 100 * kept;
    }
    return values;
  };
  std::map<Round, double> differences;
  for (const auto& [round, kept] : paired(kept_by(first), kept_by(second))) {
    differences[round] = kept.first - kept.second;
  }
  if (differences.empty()) return answer;
  add_rows(answer, differences, [](const std::string& label, const std::vector<double>& values) {
    ClaimRow row = row_of(label, values);
    row.meaning = told_of_zero(row);
    return row;
  });
  answer.reason =
      fmt::format("Of its score above chance {} keeps after {} more than {} by {} points.",
                  first.name, data.config.retention.task, second.name, decide(answer, 0));
  return answer;
}

}  // namespace basis
