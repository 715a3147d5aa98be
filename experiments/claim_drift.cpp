#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/html.h"

namespace basis {
namespace {

using ByReplicate = std::map<Replicate, double>;

/// Is a pair of runs of the model and the tasks that the claim is about?
bool is_claimed(const ReportCoDrift& row, const ClaimSettings& claim) {
  const bool is_model = claim.models.empty() || claim.models.front() == row.model;
  return is_model && is_about(claim, task_of_run(row.first)) &&
         is_about(claim, task_of_run(row.second));
}

std::vector<double> values_of(const ByReplicate& replicates) {
  std::vector<double> values;
  for (const auto& [replicate, value] : replicates) values.push_back(value);
  return values;
}

/// first - share * second, of the replicates that both have.
std::vector<double> differences(const ByReplicate& first, const ByReplicate& second, double share) {
  std::vector<double> values;
  for (const auto& [replicate, value] : first) {
    const auto other = second.find(replicate);
    if (other != second.end()) values.push_back(value - share * other->second);
  }
  return values;
}

}  // namespace

std::map<Replicate, double> co_drift_of(const ReportData& data, const std::string& relation,
                                        std::int64_t k, const ClaimSettings& claim) {
  std::map<Replicate, std::pair<double, int>> sums;
  for (const ReportCoDrift& row : data.co_drifts) {
    if (row.relation != relation || row.k != k || !is_claimed(row, claim)) continue;
    auto& [sum, count] = sums[{row.pretrain_seed, row.replicate}];
    sum += row.co_drift;
    ++count;
  }
  std::map<Replicate, double> means;
  for (const auto& [replicate, sum] : sums) means[replicate] = sum.first / sum.second;
  return means;
}

ClaimAnswer answer_co_drift(const ReportData& data, const ClaimSettings& claim) {
  ClaimAnswer answer;
  answer.unit = "co-drift";
  const auto of = [&](const char* relation) { return co_drift_of(data, relation, claim.k, claim); };
  const ByReplicate tasks = of("tasks"), seeds = of("seeds"), shuffled = of("shuffled");
  for (const auto& [label, relation] :
       {std::pair{"different tasks", "tasks"}, std::pair{"one task, two seeds (ceiling)", "seeds"},
        std::pair{"one task, true and shuffled labels", "shuffled"},
        std::pair{"different tasks, one on shuffled labels", "shuffled_tasks"},
        std::pair{"different tasks, one seed (they share a new head)", "same_seed"},
        std::pair{"Gaussian changes", "gaussian"}}) {
    const std::vector<double> values = values_of(of(relation));
    if (!values.empty()) answer.rows.push_back(row_of(label, values));
  }
  const std::vector<double> over_shuffled = differences(tasks, shuffled, 1),
                            over_half = differences(tasks, seeds, 0.5);
  for (const ReportCoDrift& row : data.co_drifts) {
    if (!is_claimed(row, claim)) continue;
    if (row.relation == "tasks") answer.specifications.push_back({"different tasks", row.co_drift});
    if (row.relation == "shuffled") {
      answer.specifications.push_back({"shuffled labels", row.co_drift});
    }
  }
  answer.effect = "co-drift";
  answer.choices =
      "pair of tasks, pair of neighbouring seeds (the replicates, each seed in two of them), side, "
      "kind of matrix and k";
  if (over_shuffled.size() < 2 || over_half.size() < 2) {
    answer.reason = "It takes three seeds or more, and runs on shuffled labels.";
    return answer;
  }
  ClaimRow above = row_of("different tasks minus shuffled labels", over_shuffled),
           half = row_of("different tasks minus half of the ceiling", over_half);
  above.meaning = told_of_zero(above);
  half.meaning = told_of_zero(half);
  const bool is_above = above.value.low > 0, is_half = half.value.estimate >= 0;
  answer.verdict = is_above && is_half ? Verdict::Held : is_above ? Verdict::InPart : Verdict::Not;
  answer.reason = fmt::format(
      "At k = {} different tasks share a co-drift of {}, shuffled labels {}, two seeds of one task "
      "{}.",
      claim.k, significant_text(answer.rows.front().value.estimate, 3),
      significant_text(mean(values_of(shuffled)), 3), significant_text(mean(values_of(seeds)), 3));
  answer.rows.push_back(std::move(above));
  answer.rows.push_back(std::move(half));
  return answer;
}

}  // namespace basis
