#include "experiments/report_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "spectral/statistics.h"

namespace basis {
namespace {

bool is_score(const std::string& metric) {
  return !metric.starts_with("majority_") && metric != "dev_rows" && !metric.ends_with("_loss");
}

std::string primary_metric(const ReportRun& run) {
  for (const auto& [name, value] : run.result.metrics) {
    if (is_score(name)) return name;
  }
  return "";
}

std::vector<const ReportRun*> runs_of(const std::vector<ReportRun>& runs, const std::string& task,
                                      const std::string& method) {
  std::vector<const ReportRun*> found;
  for (const ReportRun& run : runs) {
    if (run.task == task && run.method == method) found.push_back(&run);
  }
  return found;
}

MethodScores scores_of_cell(const std::vector<const ReportRun*>& runs) {
  MethodScores cell;
  if (runs.empty()) return cell;
  for (const auto& [metric, first] : runs.front()->result.metrics) {
    if (!is_score(metric)) continue;
    std::vector<double> values;
    for (const ReportRun* run : runs) values.push_back(metric_named(run->result, metric));
    if (cell.scores.empty()) cell.primary = values;
    cell.scores.push_back({metric, spread_of(std::move(values))});
  }
  return cell;
}

/// The mean over the tasks that are not weak for every seed that has them all.
Spread mean_over_tasks(const ScoreTable& table, const std::vector<ReportRun>& runs,
                       const std::string& method) {
  std::map<Replicate, std::vector<double>> by_seed;
  for (const ReportRun& run : runs) {
    const auto task = std::find(table.tasks.begin(), table.tasks.end(), run.task);
    if (run.method != method || task == table.tasks.end()) continue;
    if (table.is_weak[static_cast<std::size_t>(task - table.tasks.begin())]) continue;
    const double value = metric_named(run.result, primary_metric(run));
    if (std::isfinite(value)) by_seed[run.replicate()].push_back(value);
  }
  const auto tasks =
      static_cast<std::size_t>(std::count(table.is_weak.begin(), table.is_weak.end(), false));
  std::vector<double> means;
  for (const auto& [seed, values] : by_seed) {
    if (values.size() == tasks) means.push_back(mean(values));
  }
  return spread_of(std::move(means));
}

/// What a constant answer scores; NaN where nobody knows.
double floor_of(const ReportRun& run, const std::string& metric) {
  const double told = metric_named(run.result, "majority_" + metric);
  if (!std::isnan(told)) return told;
  const bool is_correlation = metric == "matthews" || metric == "pearson" || metric == "spearman";
  return is_correlation ? 0 : std::numeric_limits<double>::quiet_NaN();
}

/// Is full known to be less than 3 standard errors above the majority class?
bool is_task_weak(const Config& config, const ScoreTable& table, const std::vector<ReportRun>& runs,
                  std::size_t task) {
  for (std::size_t method = 0; method < table.methods.size(); ++method) {
    const MethodSettings& settings = config.method.at(table.methods[method]);
    if (settings.kind != "full" || settings.start != "pretrained") continue;
    const MethodScores& cell = table.cells[method][task];
    const auto cell_runs = runs_of(runs, table.tasks[task], table.methods[method]);
    if (cell.scores.empty() || cell.scores[0].spread.count == 0) return false;
    const std::string& metric = cell.scores[0].metric;
    const double floor = floor_of(*cell_runs.front(), metric);
    if (std::isnan(floor)) return false;
    const double score = cell.scores[0].spread.mean;
    double variance = 0;
    std::vector<double> values;
    for (const double value : cell.primary) {
      if (std::isfinite(value)) values.push_back(value);
    }
    if (values.size() > 1) {
      variance += std::pow(standard_deviation(values), 2) / static_cast<double>(values.size());
    }
    const double rows = metric_named(cell_runs.front()->result, "dev_rows");
    if (metric == "accuracy" && rows > 0) variance += score * (1 - score) / rows;
    return score <= floor + 3 * std::sqrt(variance);
  }
  return false;
}

}  // namespace

bool ScoreTable::is_empty() const {
  for (const auto& row : cells) {
    for (const MethodScores& cell : row) {
      if (!cell.scores.empty()) return false;
    }
  }
  return true;
}

Spread spread_of(std::vector<double> values) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return {};
  Spread spread{values.size(), mean(values), values.front(), values.front()};
  if (values.size() >= 3) {
    const Interval interval = t_interval(values);
    spread.low = interval.low;
    spread.high = interval.high;
  } else {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    spread.low = *low;
    spread.high = *high;
  }
  return spread;
}

std::string spread_text(const Spread& spread, double scale, int digits) {
  if (spread.count >= 3) return fmt::format(" ± {:.{}f}", scale * spread.half_width(), digits);
  if (spread.count == 2) {
    return fmt::format(" ({:.{}f}–{:.{}f})", scale * spread.low, digits, scale * spread.high,
                       digits);
  }
  return "";
}

ScoreTable score_table(const Config& config, const std::vector<ReportRun>& runs) {
  ScoreTable table;
  table.tasks = config.tasks;
  table.methods = config.methods;
  for (const std::string& method : table.methods) {
    std::vector<MethodScores> row;
    for (const std::string& task : table.tasks) {
      row.push_back(scores_of_cell(runs_of(runs, task, method)));
    }
    table.cells.push_back(std::move(row));
  }
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    MethodScores* best = nullptr;
    std::size_t finished = 0;
    for (auto& row : table.cells) {
      MethodScores& cell = row[task];
      if (cell.scores.empty() || cell.scores[0].spread.count == 0) continue;
      ++finished;
      if (best == nullptr || cell.scores[0].spread.mean > best->scores[0].spread.mean) best = &cell;
    }
    if (finished > 1) best->is_best = true;
    table.is_weak.push_back(is_task_weak(config, table, runs, task));
  }
  for (const std::string& method : table.methods) {
    table.means.push_back(mean_over_tasks(table, runs, method));
  }
  return table;
}

std::vector<MethodCost> method_costs(const Config& config, const std::vector<ReportRun>& runs) {
  std::vector<MethodCost> costs;
  for (const std::string& method : config.methods) {
    MethodCost cost;
    cost.method = method;
    for (const ReportRun& run : runs) {
      if (run.method != method) continue;
      const StageResult& result = run.result;
      ++cost.runs;
      cost.trainable += static_cast<double>(result.trainable);
      cost.trainable_share += result.trainable_share;
      cost.adapted_share += result.adapted_share;
      cost.head_parameters += static_cast<double>(result.head_parameters);
      cost.tokens_per_s += result.tokens_per_s;
      cost.peak_mib = std::max(cost.peak_mib, result.peak_mib);
      cost.seconds += result.seconds;
    }
    if (cost.runs == 0) continue;
    for (double* sum : {&cost.trainable, &cost.trainable_share, &cost.adapted_share,
                        &cost.head_parameters, &cost.tokens_per_s, &cost.seconds}) {
      *sum /= static_cast<double>(cost.runs);
    }
    costs.push_back(std::move(cost));
  }
  return costs;
}

std::vector<StartComparison> start_comparisons(const Config& config, const ScoreTable& table,
                                               const std::vector<ReportRun>& runs) {
  std::vector<StartComparison> comparisons;
  for (const std::string& random : config.methods) {
    MethodSettings alike = config.method.at(random);
    if (alike.start != "random") continue;
    for (const std::string& pretrained : config.methods) {
      const MethodSettings& other = config.method.at(pretrained);
      alike.name = other.name;
      alike.start = "pretrained";
      alike.family = other.family;
      alike.overrides = other.overrides;  // another learning rate may suit it
      alike.models = other.models;
      if (!(alike == other)) continue;
      StartComparison comparison{pretrained, random, {}};
      for (const std::string& task : table.tasks) {
        std::vector<double> differences;
        for (const ReportRun* a : runs_of(runs, task, pretrained)) {
          for (const ReportRun* b : runs_of(runs, task, random)) {
            if (a->replicate() != b->replicate() || a->model != b->model) continue;
            differences.push_back(metric_named(a->result, primary_metric(*a)) -
                                  metric_named(b->result, primary_metric(*b)));
          }
        }
        comparison.differences.push_back(spread_of(std::move(differences)));
      }
      const auto has_runs = [](const Spread& spread) { return spread.count > 0; };
      if (std::none_of(comparison.differences.begin(), comparison.differences.end(), has_runs)) {
        continue;  // of two models
      }
      comparisons.push_back(std::move(comparison));
    }
  }
  return comparisons;
}

}  // namespace basis
