#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

#include "experiments/report_figures.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;
constexpr double percent = 100;

/// A method that finished, with what it trains.
struct BudgetMethod {
  std::size_t row = 0;  // of the score table
  std::string family;   // empty: it stands alone
  std::string kind;
  MethodCost cost;
  bool is_level = false;  // full and head: what lies at the ends of every budget
};

std::vector<BudgetMethod> budget_methods(const ReportData& data, const ScoreTable& table) {
  const std::vector<MethodCost> costs = method_costs(data.config, data.runs);
  std::vector<BudgetMethod> methods;
  for (std::size_t row = 0; row < table.methods.size(); ++row) {
    const auto cost = std::find_if(costs.begin(), costs.end(), [&](const MethodCost& one) {
      return one.method == table.methods[row];
    });
    const MethodSettings& settings = data.config.method.at(table.methods[row]);
    const bool is_plain = settings.start == "pretrained" && settings.labels == "true";
    if (cost == costs.end() || !is_plain) continue;
    BudgetMethod method{row, settings.family, settings.kind, *cost, false};
    method.is_level =
        settings.family.empty() && (settings.kind == "full" || settings.kind == "head");
    methods.push_back(std::move(method));
  }
  return methods;
}

/// Has a family two methods of different size?
bool has_curve(const std::vector<BudgetMethod>& methods) {
  std::map<std::string, std::set<double>> shares;
  for (const BudgetMethod& method : methods) {
    if (!method.family.empty()) shares[method.family].insert(method.cost.trainable_share);
  }
  return std::any_of(shares.begin(), shares.end(),
                     [](const auto& family) { return family.second.size() > 1; });
}

using ShareOf = double MethodCost::*;
using ScoreOf = std::function<Spread(std::size_t row)>;

struct BudgetPoint {
  double share;  // in %
  Spread spread;
  int color;
};

void add_curve(Plot& plot, std::vector<BudgetPoint> points) {
  std::sort(points.begin(), points.end(),
            [](const BudgetPoint& a, const BudgetPoint& b) { return a.share < b.share; });
  PlotSeries line;
  line.color = points.front().color;
  line.width = 1.9;
  for (const BudgetPoint& point : points) {
    line.x.push_back(point.share);
    line.y.push_back(percent * point.spread.mean);
    line.low.push_back(percent * point.spread.low);
    line.high.push_back(percent * point.spread.high);
  }
  PlotSeries bars = line;
  bars.style = Style::VerticalBars;
  bars.width = 1.4;
  if (points.size() > 1) plot.series.push_back(std::move(line));
  plot.series.push_back(std::move(bars));
}

/// A dashed line with its band from `low` to `high`.
void add_level(Plot& plot, const Spread& spread, int color, double low, double high) {
  PlotSeries level;
  level.color = color;
  level.is_dashed = true;
  level.width = 1.3;
  level.x = {low, high};
  level.y = {percent * spread.mean, percent * spread.mean};
  PlotSeries band = level;
  band.style = Style::Band;
  band.opacity = 0.14;
  band.low = {percent * spread.low, percent * spread.low};
  band.high = {percent * spread.high, percent * spread.high};
  plot.series.insert(plot.series.begin(), std::move(band));
  plot.series.push_back(std::move(level));
}

Plot budget_panel(const ReportData& data, const std::vector<BudgetMethod>& methods, ShareOf share,
                  const ScoreOf& score) {
  Plot plot;
  std::map<std::string, std::vector<BudgetPoint>> curves;  // by family, or method that has none
  double low = 1e300, high = 0;
  for (const BudgetMethod& method : methods) {
    const double x = percent * (method.cost.*share);
    const Spread spread = score(method.row);
    if (method.is_level || spread.count == 0 || !(x > 0)) continue;
    low = std::min(low, x);
    high = std::max(high, x);
    const std::string& key = method.family.empty() ? method.cost.method : method.family;
    curves[key].push_back({x, spread, method_color(data.config, method.cost.method)});
  }
  if (curves.empty()) return plot;
  for (auto& [name, points] : curves) add_curve(plot, std::move(points));
  for (const BudgetMethod& method : methods) {
    const Spread spread = score(method.row);
    if (!method.is_level || spread.count == 0) continue;
    add_level(plot, spread, method_color(data.config, method.cost.method), low / 1.2, high * 1.2);
  }
  plot.x.is_log = true;
  plot.x.label = share == &MethodCost::trainable_share ? "trained, % of the encoder with embeddings"
                                                       : "trained, % of the adapted matrices";
  return plot;
}

std::vector<LegendEntry> budget_legend(const ReportData& data,
                                       const std::vector<BudgetMethod>& methods) {
  std::vector<LegendEntry> legend;
  std::set<std::string> families;
  for (const BudgetMethod& method : methods) {
    const int color = method_color(data.config, method.cost.method);
    if (!method.family.empty()) {
      if (families.insert(method.family).second) legend.push_back({method.family, color, false});
      continue;
    }
    LegendEntry entry{method.cost.method, color, method.is_level};
    entry.is_dot = !method.is_level;
    legend.push_back(std::move(entry));
  }
  return legend;
}

}  // namespace

Figure budget_figure(const ReportData& data, const ScoreTable& table) {
  Figure figure;
  const std::vector<BudgetMethod> methods = budget_methods(data, table);
  if (!has_curve(methods)) return figure;
  figure.title = "Score against budget";
  figure.caption =
      "Mean score over the tasks that are not greyed against the share that is trained, the "
      "head not counted: first of all the encoder's parameters, then of the adapted matrices "
      "alone, where embeddings do not make it small. Methods of a family are one curve; bars "
      "and bands are 95 % t-intervals over seeds (the range for two). A curve that reaches the "
      "level of full fine-tuning says at what share it does; of two curves the upper one buys "
      "more for the same share. Methods that adapt no matrix have no place on the second axis.";
  figure.legend = budget_legend(data, methods);
  figure.is_wide = true;
  for (const ShareOf share : {&MethodCost::trainable_share, &MethodCost::adapted_share}) {
    Plot panel =
        budget_panel(data, methods, share, [&](std::size_t row) { return table.means[row]; });
    if (panel.series.empty()) continue;
    panel.width = 480;
    panel.y.label = "mean score × 100";
    panel.description = "Mean score of every method against its " + panel.x.label;
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure budget_by_task_figure(const ReportData& data, const ScoreTable& table) {
  Figure figure;
  const std::vector<BudgetMethod> methods = budget_methods(data, table);
  if (!has_curve(methods)) return figure;
  figure.title = "Score against budget by task";
  figure.caption =
      "The primary metric of every task against the share of the encoder's parameters that is "
      "trained; as above. Where the curves cross from task to task, no family is the best buy.";
  figure.legend = budget_legend(data, methods);
  for (std::size_t task = 0; task < table.tasks.size(); ++task) {
    std::string metric;
    Plot panel =
        budget_panel(data, methods, &MethodCost::trainable_share, [&](std::size_t row) -> Spread {
          const MethodScores& cell = table.cells[row][task];
          if (cell.scores.empty()) return {};
          metric = cell.scores[0].metric;
          return cell.scores[0].spread;
        });
    if (panel.series.empty()) continue;
    panel.title =
        table.is_weak[task] ? table.tasks[task] + " (decides nothing)" : table.tasks[task];
    panel.y.label = metric + " × 100";
    panel.description =
        fmt::format("Score of every method against its trained share on {}", table.tasks[task]);
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

}  // namespace basis
