#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/html.h"

namespace basis {
namespace {

/// Score by what was put on W₀, of one task and seed.
struct CutScores {
  double nothing = 0, everything = 0;
  bool has_ends = false;
  std::map<std::tuple<std::string, std::string, std::int64_t>, double> parts;

  /// Of the way from nothing to everything; empty where that is no way.
  std::optional<double> share(const std::string& basis, const std::string& part,
                              std::int64_t k) const {
    const auto found = parts.find({basis, part, k});
    if (found == parts.end() || everything == nothing) return std::nullopt;
    return (found->second - nothing) / (everything - nothing);
  }
};

using CutsOfSeeds = std::map<std::int64_t, std::map<std::string, CutScores>>;  // by seed and task

CutsOfSeeds cuts_of(const ReportData& data, const ClaimSettings& claim) {
  CutsOfSeeds all;
  for (const ReportCut& cut : data.cuts) {
    if (!is_about(claim, cut.task)) continue;
    if (!claim.method.empty() && cut.method != claim.method) continue;
    CutScores& scores = all[cut.seed][cut.task];
    if (cut.part == "nothing") {
      scores.nothing = cut.score;
    } else if (cut.part == "everything") {
      scores.everything = cut.score;
    } else {
      scores.parts[{cut.basis, cut.part, cut.k}] = cut.score;
    }
  }
  return all;
}

/// Means over tasks, a value for every seed.
std::vector<double> shares_of(const CutsOfSeeds& cuts, const std::string& basis,
                              const std::string& part, std::int64_t k) {
  std::vector<double> values;
  for (const auto& [seed, tasks] : cuts) {
    std::vector<double> of_tasks;
    for (const auto& [task, scores] : tasks) {
      if (const auto share = scores.share(basis, part, k)) of_tasks.push_back(*share);
    }
    if (!of_tasks.empty()) values.push_back(mean(of_tasks));
  }
  return values;
}

}  // namespace

ClaimAnswer answer_surgery(const ReportData& data, const ClaimSettings& claim) {
  ClaimAnswer answer;
  answer.unit = "share of the way from no change to the whole one";
  const CutsOfSeeds cuts = cuts_of(data, claim);
  for (const char* part : {"diagonal", "core", "left", "right", "outside"}) {
    for (const auto& [name, basis] :
         {std::pair{"leading basis", "leading"}, std::pair{"random basis", "random"},
          std::pair{"random change of its norm", "norm"}}) {
      const std::vector<double> values = shares_of(cuts, basis, part, claim.k);
      if (values.empty()) continue;
      answer.rows.push_back(row_of(fmt::format("{} of k = {}, {}", part, claim.k, name), values));
    }
  }
  answer.effect = "share of the score, leading minus random basis";
  answer.choices = "task, seed, part and k";
  for (const auto& [seed, tasks] : cuts) {
    for (const auto& [task, scores] : tasks) {
      for (const auto& [choice, score] : scores.parts) {
        const auto& [basis, part, k] = choice;
        if (basis != "leading") continue;
        const auto leading = scores.share("leading", part, k),
                   random = scores.share("random", part, k);
        if (leading && random) answer.specifications.push_back({part, *leading - *random});
      }
    }
  }
  const std::vector<double> leading = shares_of(cuts, "leading", "core", claim.k),
                            random = shares_of(cuts, "random", "core", claim.k);
  if (leading.size() < 2 || leading.size() != random.size()) {
    answer.reason = "It takes two seeds or more.";
    return answer;
  }
  std::vector<double> difference;
  for (std::size_t i = 0; i < leading.size(); ++i) difference.push_back(leading[i] - random[i]);
  ClaimRow row = row_of("core, leading minus random basis", difference);
  row.meaning = told_of_zero(row);
  answer.verdict = row.value.low > 0 ? Verdict::Held : Verdict::Not;
  answer.reason = fmt::format(
      "The leading core of k = {} keeps {} of the way that the whole change goes, the random core "
      "{}.",
      claim.k, significant_text(mean(leading), 3), significant_text(mean(random), 3));
  answer.rows.push_back(std::move(row));
  return answer;
}

}  // namespace basis
