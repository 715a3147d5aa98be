#include <fmt/format.h>

#include "experiments/claims.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// What the run answered under a change; nothing where no finished stage tells.
std::optional<Predictions> answers_under(const ReportData& data, const ReportRun& run,
                                         const PixelChange& change) {
  for (const ReportRobustness& one : data.robustness) {
    if (one.task != run.task || one.method != run.method || one.replicate() != run.replicate()) {
      continue;
    }
    const auto found = one.answers.find(change);
    if (found != one.answers.end()) return found->second;
  }
  return std::nullopt;
}

/// The runs with their answers under a change in place of those to clean rows, whole or not at all.
/// Scores stay the clean ones: by them tasks are weak. A family is chosen on changed rows too.
ReportData data_under(const ReportData& data, const PixelChange& change) {
  ReportData changed;
  changed.config = data.config;
  for (const ReportRun& run : data.runs) {
    changed.runs.push_back(run);
    changed.runs.back().predictions = answers_under(data, run, change);
  }
  changed.cross_fitted = cross_fitted(changed.config, changed.runs);
  return changed;
}

}  // namespace

ClaimAnswer answer_robustness_difference(const ReportData& data, const ClaimSettings& claim) {
  const PixelChange change{claim.attack, claim.size};
  ClaimAnswer answer;
  try {
    answer = answer_score_difference(data_under(data, change), claim);
  } catch (const Error& error) {
    answer.reason = error.what();  // rows that cannot be cut in halves
    return answer;
  }
  const bool is_noise = claim.attack == "noise";
  answer.unit += fmt::format(
      " {} {}", is_noise ? "under noise of σ =" : "under attack within ε =", claim.size);
  return answer;
}

}  // namespace basis
