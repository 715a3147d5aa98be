#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/heat_map.h"
#include "experiments/html.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;

struct Relation {
  const char* name;
  const char* label;
  int color;
  bool is_dashed;
};

constexpr std::array<Relation, 6> relations = {
    {{"tasks", "different tasks", 0, false},
     {"seeds", "one task, two seeds (the ceiling)", 2, false},
     {"shuffled", "one task, true and shuffled labels", 1, false},
     {"shuffled_tasks", "different tasks, one on shuffled labels", 4, false},
     {"same_seed", "different tasks, one seed (they share a new head)", 3, true},
     {"gaussian", "Gaussian changes of equal size", plot_muted, true}}};

const HeatScale& co_drift_scale() {
  static const HeatScale scale = {{0.05, 0.15, 0.3, 0.5},
                                  {"below −0.5", "−0.5 to −0.3", "−0.3 to −0.15", "−0.15 to −0.05",
                                   "about 0", "0.05–0.15", "0.15–0.3", "0.3–0.5", "above 0.5"},
                                  1,
                                  0};
  return scale;
}

std::set<std::int64_t> ranks_of(const ReportData& data) {
  std::set<std::int64_t> ranks;
  for (const ReportCoDrift& row : data.co_drifts) ranks.insert(row.k);
  return ranks;
}

/// The claim's k; without a claim the largest up to 32.
std::int64_t shown_rank(const ReportData& data) {
  for (const auto& [name, claim] : data.config.claim) {
    if (claim.endpoint == "co-drift") return claim.k;
  }
  const std::set<std::int64_t> ranks = ranks_of(data);
  const auto above = ranks.upper_bound(32);
  return above == ranks.begin() ? *above : *std::prev(above);
}

void add_relation(const ReportData& data, const Relation& relation, Plot& plot) {
  PlotSeries line, band;
  line.color = band.color = relation.color;
  line.is_dashed = relation.is_dashed;
  line.width = 1.9;
  band.style = Style::Band;
  band.opacity = 0.18;
  for (const std::int64_t k : ranks_of(data)) {
    std::vector<double> values;
    for (const auto& [replicate, value] : co_drift_of(data, relation.name, k)) {
      values.push_back(value);
    }
    if (values.empty()) continue;
    const Spread spread = spread_of(values);
    line.x.push_back(static_cast<double>(k));
    line.y.push_back(spread.mean);
    if (spread.count < 3) continue;
    band.x.push_back(static_cast<double>(k));
    band.y.push_back(spread.mean);
    band.low.push_back(spread.low);
    band.high.push_back(spread.high);
  }
  if (line.x.empty()) return;
  if (!band.x.empty()) plot.series.insert(plot.series.begin(), std::move(band));
  plot.series.push_back(std::move(line));
}

Figure curve_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Co-drift against rank";
  figure.caption =
      "How far two fine-tunings turn the leading k singular vectors alike: 0 for independent "
      "turns, 1 for the same turn. Means over pairs, matrices and both sides; bands are 95 % "
      "t-intervals over replicates. Different tasks share a basis where their line lies above "
      "that of shuffled labels and near the ceiling; at the Gaussian line they share nothing.";
  Plot plot;
  plot.description = "Co-drift against k by relation";
  plot.x = rank_axis("k, leading singular vectors");
  plot.y.label = "co-drift (0 to 1)";
  plot.width = 440;
  for (const Relation& relation : relations) {
    const std::size_t before = plot.series.size();
    add_relation(data, relation, plot);
    if (plot.series.size() == before) continue;
    figure.legend.push_back({relation.label, relation.color, relation.is_dashed});
  }
  figure.is_wide = true;
  if (!plot.series.empty()) figure.panels.push_back(std::move(plot));
  return figure;
}

/// Pairs of tasks by the mean of a relation between tasks, on the diagonal of one within a task.
Plot matrix_panel(const ReportData& data, std::int64_t k, const std::string& between,
                  const std::string& within) {
  Plot plot;
  const std::vector<std::string>& tasks = data.config.tasks;
  std::vector<HeatCell> cells;
  std::size_t longest = 0;
  const auto count = static_cast<double>(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto place = static_cast<double>(i);
    plot.x.ticks.emplace_back(place, tasks[i]);
    plot.y.ticks.emplace_back(-place, tasks[i]);
    longest = std::max(longest, tasks[i].size());
    for (std::size_t j = 0; j < tasks.size(); ++j) {
      double sum = 0;
      int rows = 0;
      for (const ReportCoDrift& row : data.co_drifts) {
        if (row.k != k || row.relation != (i == j ? within : between)) continue;
        const std::pair pair{task_of_run(row.first), task_of_run(row.second)};
        if (pair != std::pair{tasks[i], tasks[j]} && pair != std::pair{tasks[j], tasks[i]})
          continue;
        sum += row.co_drift;
        ++rows;
      }
      if (rows == 0) continue;
      const double mean = sum / rows;
      std::string text = fixed_text(mean, 2);
      if (text == "-0.00") text = "0.00";
      if (text.front() == '-') text.replace(0, 1, "−");
      cells.push_back({static_cast<double>(j), -place, mean, std::move(text)});
    }
  }
  if (cells.empty()) return plot;
  add_heat(plot, co_drift_scale(), cells);
  plot.x.low = -0.6;
  plot.x.high = count - 0.4;
  plot.y.low = 0.4 - count;
  plot.y.high = 0.6;
  plot.left_margin = static_cast<double>(longest) + 2;
  plot.width = 440;
  plot.height = 60 + 46 * count;
  return plot;
}

Figure matrix_figure(const ReportData& data) {
  Figure figure;
  if (data.co_drifts.empty() || data.config.tasks.size() < 2) return figure;
  const std::int64_t k = shown_rank(data);
  figure.title = fmt::format("Co-drift of every pair of tasks at k = {}", k);
  figure.caption = fmt::format(
      "Mean co-drift at k = {} over seeds, matrices and both sides. True labels: on the "
      "diagonal one task with two seeds, the most that any pair could share. One on shuffled "
      "labels: these leave the inputs and take the task away. A pair that shares a basis for "
      "its tasks' sake is deep blue with true labels and pale with shuffled ones.",
      k);
  figure.legend = heat_legend(co_drift_scale());
  for (const auto& [title, between, within] :
       {std::tuple{"true labels", "tasks", "seeds"},
        std::tuple{"one on shuffled labels", "shuffled_tasks", "shuffled"}}) {
    Plot panel = matrix_panel(data, k, between, within);
    if (panel.series.empty()) continue;
    panel.title = title;
    panel.description = fmt::format("Co-drift of tasks, {}", title);
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

}  // namespace

Section sharing_section(const ReportData& data) {
  Section section{"sharing", "Sharing", {}};
  if (data.co_drifts.empty()) return section;
  section.blocks.push_back(
      {"<p>Co-drift says how much of what two fine-tunings turn in the weights' singular vectors "
       "they turn alike: [rot(0,s) + rot(0,t) − rot(s,t)] / (2 √(rot(0,s) rot(0,t))), where rot "
       "is the rotation of the leading k and 0, s and t are the weights before and after two "
       "tasks.</p>\n",
       {}});
  for (Figure figure : {curve_figure(data), matrix_figure(data)}) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

}  // namespace basis
