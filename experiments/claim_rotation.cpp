#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/html.h"

namespace basis {
namespace {

/// log rho of a control at a relative change, on the line through its doses of one task and seed;
/// beyond its doses that of the nearest.
std::optional<double> control_at(const ReportData& data, const std::string& start,
                                 const ReportSpectrum& run, std::int64_t k) {
  DoseCurve doses;
  for (const ReportSpectrum& one : data.spectra) {
    const bool is_beside =
        one.task == run.task && one.replicate() == run.replicate() && one.model == run.model;
    if (!is_beside || data.config.method.at(one.method).start != start) continue;
    if (const auto ratio = ratio_at(one, k)) {
      doses.emplace_back(std::log(one.change), std::log(*ratio));
    }
  }
  return on_curve(std::move(doses), std::log(run.change));
}

struct Count {
  int below = 0;          // tasks whose interval of rho lies below 1
  int above = 0;          // above 1
  int below_control = 0;  // tasks below the control
  int tasks = 0;
  bool is_known = true;  // every task has two seeds or more
};

std::string told(const ClaimRow& row, const char* below, const char* above) {
  if (!row.has_interval) return "one seed: no interval";
  if (row.value.high < 1) return below;
  return row.value.low > 1 ? above : "the interval holds 1";
}

void add_task(const ReportData& data, const ClaimSettings& claim, const std::string& task,
              ClaimAnswer& answer, Count& count) {
  std::vector<double> ratios, against_control;
  for (const ReportSpectrum& run : data.spectra) {
    if (run.task != task || run.method != claim.method) continue;
    const auto ratio = ratio_at(run, claim.k);
    if (!ratio) continue;
    ratios.push_back(*ratio);
    if (claim.control.empty()) continue;
    const std::string& start = data.config.method.at(claim.control).start;
    if (const auto control = control_at(data, start, run, claim.k)) {
      against_control.push_back(*ratio / std::exp(*control));
    }
  }
  if (ratios.empty()) return;
  ++count.tasks;
  ClaimRow row = ratio_row_of(fmt::format("{}, ρ at k = {}", task, claim.k), ratios);
  row.meaning =
      told(row, "more stable than a Gaussian change", "less stable than a Gaussian change");
  count.is_known = count.is_known && row.has_interval;
  count.below += row.has_interval && row.value.high < 1;
  count.above += row.has_interval && row.value.low > 1;
  answer.rows.push_back(std::move(row));
  if (against_control.empty()) return;
  row = ratio_row_of(fmt::format("{}, over that of {} at equal change", task, claim.control),
                     against_control);
  row.meaning = told(row, "more stable than the control", "less stable than the control");
  count.below_control += row.has_interval && row.value.high < 1;
  answer.rows.push_back(std::move(row));
}

void add_specifications(const ReportData& data, const ClaimSettings& claim, ClaimAnswer& answer) {
  for (const ReportSpectrum& run : data.spectra) {
    if (run.method != claim.method || !is_about(claim, run.task)) continue;
    for (const ReportEffect& effect : run.effects) {
      if (std::isfinite(effect.ratio) && effect.ratio > 0) {
        answer.specifications.push_back({effect.control, effect.ratio});
      }
    }
  }
  answer.neutral = 1;
  answer.is_log = true;
  answer.effect = "rotation over that of the control";
  answer.choices = "task, seed, side, kind of matrix, k = 1, 2, 4, ... and control";
}

}  // namespace

ClaimAnswer answer_rotation_ratio(const ReportData& data, const ClaimSettings& claim) {
  ClaimAnswer answer;
  answer.unit = "ratio";
  Count count;
  for (const std::string& task : data.config.tasks) {
    if (is_about(claim, task)) add_task(data, claim, task, answer, count);
  }
  add_specifications(data, claim, answer);
  const auto needed = static_cast<int>(
      claim.needs > 0 ? claim.needs
                      : std::count_if(data.config.tasks.begin(), data.config.tasks.end(),
                                      [&](const auto& task) { return is_about(claim, task); }));
  answer.reason =
      fmt::format("ρ at k = {} lies below 1 on {} of {} tasks and above 1 on {}; {} are asked for.",
                  claim.k, count.below, count.tasks, count.above, needed);
  if (!claim.control.empty()) {
    answer.reason += fmt::format(" It lies below that of {} at equal change on {}.", claim.control,
                                 count.below_control);
  }
  const bool has_control = claim.control.empty() || count.below_control >= needed;
  if (count.tasks < needed || !count.is_known) {
    answer.verdict = Verdict::Undecided;
  } else if (count.below >= needed && has_control) {
    answer.verdict = Verdict::Held;
  } else {
    answer.verdict = count.below > 0 ? Verdict::InPart : Verdict::Not;
  }
  return answer;
}

}  // namespace basis
