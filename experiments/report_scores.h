#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/report_data.h"

namespace basis {

/// Values of one quantity over seeds: the 95 % t-interval from three on, their range for two.
struct Spread {
  std::size_t count = 0;  // 0: the rest means nothing
  double mean = 0;
  double low = 0;
  double high = 0;
  double half_width() const { return (high - low) / 2; }
};

/// Leaves out what is not finite.
Spread spread_of(std::vector<double> values);
/// " ± 0.52" from three seeds on, " (90.1–91.3)" for two, nothing for one; times `scale`.
std::string spread_text(const Spread& spread, double scale, int digits);

/// A method on a task over seeds.
struct Score {
  std::string metric;
  Spread spread;
};

struct MethodScores {
  std::vector<Score> scores;    // the primary one first; empty: no finished run
  std::vector<double> primary;  // of each seed, in order of the runs
  bool is_best = false;         // has the highest mean of its task
};

/// Methods by tasks.
struct ScoreTable {
  std::vector<std::string> tasks;
  std::vector<std::string> methods;
  std::vector<std::vector<MethodScores>> cells;  // [method][task]
  std::vector<Spread> means;  // [method] over seeds of the mean of the tasks that are not weak
  std::vector<bool> is_weak;  // [task]: full is known not to be above the majority class

  bool is_empty() const;
};

/// `majority_<metric>` among a result's metrics is what the majority class scores and no score;
/// with `dev_rows` beside it the rows' chance counts as well as the seeds' (METHODS.md 2,
/// "Statistics"). For correlations it is 0 where nothing is said.
ScoreTable score_table(const Config& config, const std::vector<ReportRun>& runs);

/// What a method costs, means over its runs.
struct MethodCost {
  std::string method;
  std::size_t runs = 0;
  double trainable = 0;
  double trainable_share = 0;
  double adapted_share = 0;
  double head_parameters = 0;
  double tokens_per_s = 0;
  double peak_mib = 0;  // the largest
  double seconds = 0;
};
std::vector<MethodCost> method_costs(const Config& config, const std::vector<ReportRun>& runs);

/// A method from pretrained weights against the same one from random ones.
struct StartComparison {
  std::string pretrained;
  std::string random;
  std::vector<Spread> differences;  // [task], paired by seed
};
std::vector<StartComparison> start_comparisons(const Config& config, const ScoreTable& table,
                                               const std::vector<ReportRun>& runs);

}  // namespace basis
