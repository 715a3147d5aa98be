#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "experiments/report_sections.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;
constexpr double percent = 100;

struct Part {
  const char* name;
  const char* label;
  int color;
};

constexpr std::array<Part, 5> parts = {{{"diagonal", "diagonal", 3},
                                        {"core", "core", 0},
                                        {"left", "left", 2},
                                        {"right", "right", 4},
                                        {"outside", "outside", 1}}};

/// Score and energy of one cut of a task, over seeds.
struct CutOfSeeds {
  std::map<std::int64_t, double> scores;  // by seed
  double energy = 0;                      // sum
  std::size_t count = 0;

  void add(const ReportCut& cut) {
    scores[cut.seed] = cut.score;
    energy += cut.energy;
    ++count;
  }
  Spread spread() const {
    std::vector<double> values;
    for (const auto& [seed, score] : scores) values.push_back(score);
    return spread_of(std::move(values));
  }
};

/// All cuts of one task and method.
struct TaskCuts {
  CutOfSeeds nothing, everything;
  using Choice = std::tuple<std::string, std::string, std::int64_t>;  // basis, part, k
  std::map<Choice, CutOfSeeds> cuts;
};

TaskCuts cuts_of(const ReportData& data, const std::string& task, const std::string& method) {
  TaskCuts all;
  for (const ReportCut& cut : data.cuts) {
    if (cut.task != task || cut.method != method) continue;
    if (cut.part == "nothing") {
      all.nothing.add(cut);
    } else if (cut.part == "everything") {
      all.everything.add(cut);
    } else {
      all.cuts[{cut.basis, cut.part, cut.k}].add(cut);
    }
  }
  return all;
}

/// Scores of a part in a basis against k, with edges from three seeds on.
PlotSeries curve_of(const TaskCuts& all, const char* basis, const Part& part) {
  PlotSeries curve;
  curve.color = part.color;
  bool has_edges = true;
  for (const auto& [choice, cut] : all.cuts) {
    if (std::get<0>(choice) != basis || std::get<1>(choice) != part.name) continue;
    const Spread spread = cut.spread();
    if (spread.count == 0) continue;
    has_edges = has_edges && spread.count >= 3;
    curve.x.push_back(static_cast<double>(std::get<2>(choice)));
    curve.y.push_back(percent * spread.mean);
    curve.low.push_back(percent * spread.low);
    curve.high.push_back(percent * spread.high);
  }
  if (!has_edges) curve.low.clear();
  return curve;
}

PlotSeries level_of(double value, double low, double high, int color) {
  PlotSeries level;
  level.color = color;
  level.is_dashed = true;
  level.width = 1.2;
  level.x = {low, high};
  level.y = {percent * value, percent * value};
  return level;
}

void add_levels(const TaskCuts& all, Plot& plot) {
  if (all.cuts.empty()) return;
  double low = 1e300, high = 0;
  for (const auto& [choice, cut] : all.cuts) {
    low = std::min(low, static_cast<double>(std::get<2>(choice)));
    high = std::max(high, static_cast<double>(std::get<2>(choice)));
  }
  for (const auto& [cut, color] :
       {std::pair{&all.nothing, plot_muted}, std::pair{&all.everything, plot_ink}}) {
    if (cut->count > 0) plot.series.push_back(level_of(cut->spread().mean, low, high, color));
  }
}

/// The leading basis as a line with its band, the random one dashed, the random change of equal
/// norm as dots.
Plot score_panel(const TaskCuts& all) {
  Plot plot;
  std::vector<PlotSeries> bands, lines, dots;
  for (const Part& part : parts) {
    PlotSeries leading = curve_of(all, "leading", part);
    if (leading.x.empty()) continue;
    if (!leading.low.empty()) {
      bands.push_back(leading);
      bands.back().style = Style::Band;
      bands.back().opacity = 0.1;
    }
    leading.width = 2;
    lines.push_back(std::move(leading));
    PlotSeries random = curve_of(all, "random", part);
    random.is_dashed = true;
    random.width = 1.2;
    lines.push_back(std::move(random));
    PlotSeries norm = curve_of(all, "norm", part);
    norm.style = Style::Points;
    norm.width = 0.45;
    norm.opacity = 0.8;
    dots.push_back(std::move(norm));
  }
  if (lines.empty()) return plot;
  add_levels(all, plot);
  for (std::vector<PlotSeries>* group : {&bands, &dots, &lines}) {
    plot.series.insert(plot.series.end(), group->begin(), group->end());
  }
  plot.x = rank_axis("k of the basis");
  plot.x.ticks.clear();
  for (int k = 1; k <= 4096; k *= 2) plot.x.ticks.emplace_back(k, fmt::format("{}", k));
  plot.y.label = "score × 100";
  return plot;
}

/// Share of the way from nothing to everything, mean over seeds; empty where that is no way.
std::optional<double> kept_share(const TaskCuts& all, const CutOfSeeds& cut) {
  double sum = 0;
  int count = 0;
  for (const auto& [seed, score] : cut.scores) {
    const auto nothing = all.nothing.scores.find(seed);
    const auto everything = all.everything.scores.find(seed);
    if (nothing == all.nothing.scores.end() || everything == all.everything.scores.end()) continue;
    if (everything->second == nothing->second) continue;
    sum += (score - nothing->second) / (everything->second - nothing->second);
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

Plot energy_panel(const TaskCuts& all) {
  Plot plot;
  std::vector<PlotSeries> dots;
  for (const auto& [basis, size, opacity] :
       {std::tuple{"norm", 0.3, 0.4}, std::tuple{"random", 0.4, 0.5},
        std::tuple{"leading", 0.75, 1.0}}) {
    for (const Part& part : parts) {
      PlotSeries points;
      points.style = Style::Points;
      points.color = std::string(basis) == "norm" ? plot_muted : part.color;
      points.width = size;
      points.opacity = opacity;
      for (const auto& [choice, cut] : all.cuts) {
        if (std::get<0>(choice) != basis || std::get<1>(choice) != part.name) continue;
        const auto kept = kept_share(all, cut);
        if (!kept) continue;
        points.x.push_back(percent * cut.energy / static_cast<double>(cut.count));
        points.y.push_back(percent * *kept);
      }
      if (!points.x.empty()) dots.push_back(std::move(points));
    }
  }
  if (dots.empty()) return plot;
  PlotSeries even = level_of(0, 0, 100, plot_muted);
  even.y = {0, 100};
  plot.series.push_back(std::move(even));
  plot.series.insert(plot.series.end(), dots.begin(), dots.end());
  plot.x.label = "energy of the part, % of ‖ΔW‖²";
  plot.x.low = 0;
  plot.x.high = 100;
  plot.y.label = "score kept, %";
  return plot;
}

std::vector<LegendEntry> parts_legend() {
  std::vector<LegendEntry> legend;
  for (const Part& part : parts) legend.push_back({part.label, part.color, false});
  return legend;
}

template <class MakePanel>
std::vector<Plot> panels_of(const ReportData& data, const char* what, MakePanel make) {
  std::vector<Plot> panels;
  std::vector<std::string> methods;
  for (const std::string& method : data.config.methods) {
    for (const ReportCut& cut : data.cuts) {
      if (cut.method == method && (methods.empty() || methods.back() != method)) {
        methods.push_back(method);
      }
    }
  }
  for (const std::string& method : methods) {
    for (const std::string& task : data.config.tasks) {
      Plot panel = make(cuts_of(data, task, method));
      if (panel.series.empty()) continue;
      panel.title = methods.size() > 1 ? fmt::format("{}, {}", task, method) : task;
      panel.description = fmt::format("{} on {}", what, panel.title);
      panels.push_back(std::move(panel));
    }
  }
  return panels;
}

Figure score_figure(const ReportData& data) {
  Figure figure;
  figure.title = "What a part of the change is worth";
  figure.caption =
      "Score with the matrices' pretrained weights and one part of ΔW on them, against k of the "
      "basis that cuts it. Lines with 95 % t-bands over seeds: cut in the leading basis. Dashed "
      "in the same colour: in a random basis. Dots: a random change of the part's norm. A part "
      "that carries the task rises from the grey level, nothing, to the black one, all of ΔW; a "
      "basis that matters lifts its line above the dashed one.";
  figure.legend = parts_legend();
  figure.legend.push_back({"nothing", plot_muted, true});
  figure.legend.push_back({"everything", plot_ink, true});
  figure.panels = panels_of(data, "Score of every part against k", score_panel);
  return figure;
}

Figure energy_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Energy of a part and the score that it keeps";
  figure.caption =
      "Each dot is a part at one k: its share of ‖ΔW‖² against how much of the way from nothing "
      "to everything its score goes, means over seeds. Large: in the leading basis; small: in a "
      "random one; grey: a random change of the same norm. On the dashed diagonal a part is "
      "worth its energy; above it the task sits in fewer directions than the change does. Where "
      "the whole way is a few points of score, its shares are noise.";
  figure.legend = parts_legend();
  figure.legend.push_back({"random change of the part's norm", plot_muted, false});
  for (LegendEntry& entry : figure.legend) entry.is_dot = true;
  figure.panels = panels_of(data, "Share of the score against energy", energy_panel);
  return figure;
}

}  // namespace

Section surgery_section(const ReportData& data) {
  Section section{"surgery", "Surgery", {}};
  if (data.cuts.empty()) return section;
  section.blocks.push_back(
      {"<p>A fine-tuning's change ΔW of every matrix, cut by a basis of k pairs of singular "
       "vectors of W₀: the diagonal of its coefficients, its core, all that writes into the basis "
       "(left), all that reads from it (right), and what does neither (outside). Each part is put "
       "on W₀ by itself and the model scored on dev; all but the matrices, the head included, "
       "stays fine-tuned.</p>\n",
       {}});
  for (Figure figure : {score_figure(data), energy_figure(data)}) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

}  // namespace basis
