#include "experiments/claims.h"

#include <algorithm>
#include <cmath>

#include "experiments/contains.h"
#include "tensor/error.h"

namespace basis {

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Held:
      return "held";
    case Verdict::InPart:
      return "held in part";
    case Verdict::Not:
      return "not held";
    case Verdict::Undecided:
      return "not decided";
  }
  return "?";
}

ClaimRow row_of(std::string label, const std::vector<double>& values) {
  ClaimRow row;
  row.label = std::move(label);
  row.has_interval = values.size() > 1;
  if (row.has_interval) {
    row.value = t_interval(values);
  } else {
    row.value.estimate = row.value.low = row.value.high = mean(values);
  }
  return row;
}

ClaimRow ratio_row_of(std::string label, std::vector<double> values) {
  for (double& value : values) value = std::log(value);
  ClaimRow row = row_of(std::move(label), values);
  for (double* value : {&row.value.estimate, &row.value.low, &row.value.high}) {
    *value = std::exp(*value);
  }
  return row;
}

std::string told_of_zero(const ClaimRow& row) {
  if (!row.has_interval) return "one seed: no interval";
  if (row.value.low > 0) return "above 0";
  return row.value.high < 0 ? "below 0" : "the interval holds 0";
}

bool is_about(const ClaimSettings& claim, const std::string& task) {
  return names_or_all(claim.tasks, task);
}

std::optional<double> ratio_at(const ReportSpectrum& run, std::int64_t k) {
  const auto at = static_cast<std::size_t>(k - 1);
  if (at >= run.ratio.size() || !(run.ratio[at] > 0)) return std::nullopt;
  return run.ratio[at];
}

std::optional<double> on_curve(DoseCurve doses, double log_change) {
  if (doses.empty()) return std::nullopt;
  std::sort(doses.begin(), doses.end());
  if (log_change <= doses.front().first) return doses.front().second;
  for (std::size_t i = 1; i < doses.size(); ++i) {
    if (log_change > doses[i].first) continue;
    const auto [x0, y0] = doses[i - 1];
    const auto [x1, y1] = doses[i];
    return y0 + (y1 - y0) * (log_change - x0) / (x1 - x0);
  }
  return doses.back().second;
}

std::vector<ClaimAnswer> answer_claims(const ReportData& data) {
  std::vector<ClaimAnswer> answers;
  for (const auto& [name, claim] : data.config.claim) {
    if (claim.endpoint == "rotation-ratio") answers.push_back(answer_rotation_ratio(data, claim));
    if (claim.endpoint == "co-drift") answers.push_back(answer_co_drift(data, claim));
    if (claim.endpoint == "score-share") answers.push_back(answer_score_share(data, claim));
    if (claim.endpoint == "score-margin") answers.push_back(answer_score_margin(data, claim));
    if (claim.endpoint == "score-difference") {
      answers.push_back(answer_score_difference(data, claim));
    }
    if (claim.endpoint == "data-slope") answers.push_back(answer_data_slope(data, claim));
    if (claim.endpoint == "robustness-difference") {
      answers.push_back(answer_robustness_difference(data, claim));
    }
    if (claim.endpoint == "basin-ratio") answers.push_back(answer_basin_ratio(data, claim));
    if (claim.endpoint == "kept-difference") {
      answers.push_back(answer_kept_difference(data, claim));
    }
    if (claim.endpoint == "surgery") answers.push_back(answer_surgery(data, claim));
    answers.back().claim = claim;
  }
  return answers;
}

}  // namespace basis
