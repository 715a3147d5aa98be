#include "experiments/claims.h"

#include <cmath>

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

std::vector<ClaimAnswer> answer_claims(const ReportData& data) {
  std::vector<ClaimAnswer> answers;
  for (const auto& [name, claim] : data.config.claim) {
    if (claim.endpoint == "rotation-ratio") answers.push_back(answer_rotation_ratio(data, claim));
    if (claim.endpoint == "co-drift") answers.push_back(answer_co_drift(data, claim));
    if (claim.endpoint == "score-share") answers.push_back(answer_score_share(data, claim));
    if (claim.endpoint == "score-margin") answers.push_back(answer_score_margin(data, claim));
    if (claim.endpoint == "surgery") answers.push_back(answer_surgery(data, claim));
    answers.back().claim = claim;
  }
  return answers;
}

}  // namespace basis
