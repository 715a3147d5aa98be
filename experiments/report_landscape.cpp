#include "experiments/report_landscape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "experiments/heat_map.h"
#include "experiments/html.h"
#include "experiments/report_sections.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;
constexpr double percent = 100;

/// Names of some kind among all landscapes, in order of the plan.
std::vector<std::string> names_of(const ReportData& data, std::string ReportLandscape::*name) {
  std::vector<std::string> names;
  for (const ReportLandscape& one : data.landscapes) {
    if (!contains(names, one.*name)) names.push_back(one.*name);
  }
  return names;
}
std::vector<std::string> tasks_of(const ReportData& data) {
  return names_of(data, &ReportLandscape::task);
}
std::vector<std::string> methods_of(const ReportData& data) {
  return names_of(data, &ReportLandscape::method);
}

int color_of(const ReportData& data, const std::string& method) {
  if (contains(data.config.methods, method)) return method_color(data.config, method);
  const std::vector<std::string> methods = methods_of(data);
  const auto place = std::find(methods.begin(), methods.end(), method) - methods.begin();
  return static_cast<int>(place % plot_palette_size);
}

/// Of all seeds.
std::map<double, std::vector<double>> scores_by_alpha(const ReportData& data,
                                                      const std::string& task,
                                                      const std::string& method,
                                                      const std::string& kind) {
  std::map<double, std::vector<double>> points;
  for (const ReportLandscape& one : data.landscapes) {
    if (one.task != task || one.method != method || !one.kinds.contains(kind)) continue;
    for (const auto& [point, scores] : one.kinds.at(kind)) {
      auto& all = points[point.first];
      all.insert(all.end(), scores.begin(), scores.end());
    }
  }
  return points;
}

/// A panel a task: the scores of a kind against alpha, a line a method.
std::vector<Plot> curve_panels(const ReportData& data, const std::string& kind,
                               const std::string& label, bool is_log) {
  std::vector<Plot> panels;
  for (const std::string& task : tasks_of(data)) {
    Plot plot;
    for (const std::string& method : methods_of(data)) {
      const auto points = scores_by_alpha(data, task, method, kind);
      if (!points.empty()) add_curve(plot, points, color_of(data, method));
    }
    if (plot.series.empty()) continue;
    plot.title = task;
    plot.description = fmt::format("Score on {} by {}", task, label);
    plot.x.label = label;
    plot.x.is_log = is_log;
    plot.y.label = "accuracy × 100";
    panels.push_back(std::move(plot));
  }
  return panels;
}

std::vector<LegendEntry> methods_legend(const ReportData& data) {
  std::vector<LegendEntry> legend;
  for (const std::string& method : methods_of(data)) {
    legend.push_back({method, color_of(data, method)});
  }
  return legend;
}

Figure curve_figure(const ReportData& data, const std::string& kind, const std::string& title,
                    const std::string& label, const std::string& caption, bool is_log) {
  Figure figure;
  figure.title = title;
  figure.caption = caption;
  figure.legend = methods_legend(data);
  figure.panels = curve_panels(data, kind, label, is_log);
  return figure;
}

/// Bound against measurement; on the diagonal they are equal.
Figure bound_figure(const ReportData& data) {
  Figure figure;
  figure.title = "What the bound promises and what is measured";
  figure.caption =
      "Each dot is a share of the way from the trained model to its start and a σ: the lower "
      "bound of the expected score under noise there, Φ(Φ⁻¹(p) − distance/σ), against the mean of "
      "the scores that were measured. Above the dashed diagonal the bound holds; at the left edge "
      "it says nothing.";
  figure.legend = methods_legend(data);
  for (const std::string& task : tasks_of(data)) {
    Plot plot;
    for (const std::string& method : methods_of(data)) {
      PlotSeries dots;
      dots.style = Style::Points;
      dots.color = color_of(data, method);
      dots.width = 0.6;
      for (const ReportLandscape& one : data.landscapes) {
        if (one.task != task || one.method != method) continue;
        for (const BoundCheck& check : bound_checks(one)) {
          dots.x.push_back(percent * check.bound);
          dots.y.push_back(percent * check.measured);
        }
      }
      if (!dots.x.empty()) plot.series.push_back(std::move(dots));
    }
    if (plot.series.empty()) continue;
    PlotSeries diagonal;
    diagonal.color = plot_muted;
    diagonal.is_dashed = true;
    diagonal.x = {0, 100};
    diagonal.y = {0, 100};
    plot.series.push_back(std::move(diagonal));
    plot.title = task;
    plot.description = fmt::format("Measured against promised score on {}", task);
    plot.x.label = "promised, accuracy × 100";
    plot.y.label = "measured";
    figure.panels.push_back(std::move(plot));
  }
  return figure;
}

const HeatScale& drop_scale() {
  static const HeatScale scale = {
      {1, 3, 8, 20},
      {"20 and more lower", "8–20 lower", "3–8 lower", "1–3 lower", "within 1", "1–3 higher",
       "3–8 higher", "8–20 higher", "20 and more higher"},
      1,
      0};
  return scale;
}

/// The places of a coordinate's values among the cells.
std::map<double, double> places_of(const LandscapePoints& points,
                                   double (*coordinate)(const std::pair<double, double>&)) {
  std::map<double, double> places;
  for (const auto& [point, scores] : points) places[coordinate(point)] = 0;
  double place = 0;
  for (auto& [value, at] : places) at = place++;
  return places;
}

/// An axis with both ends and the middle marked, in units of `unit`.
PlotAxis cells_axis(const std::map<double, double>& places, double unit, std::string label) {
  PlotAxis axis;
  axis.label = std::move(label);
  axis.low = -0.5;
  axis.high = static_cast<double>(places.size()) - 0.5;
  const double last = static_cast<double>(places.size()) - 1;
  for (const auto& [value, at] : places) {
    const bool is_shown = at == 0 || at == last || 2 * at == last;
    if (is_shown) axis.ticks.emplace_back(at, significant_text(value / unit, 2));
  }
  return axis;
}

/// Points above the score at θ; the middle cell is θ.
Plot plane_panel(const ReportLandscape& one) {
  const LandscapePoints& points = one.kinds.at("plane");
  const auto x = places_of(points, [](const auto& point) { return point.first; });
  const auto y = places_of(points, [](const auto& point) { return point.second; });
  std::vector<HeatCell> cells;
  for (const auto& [point, scores] : points) {
    cells.push_back(
        {x.at(point.first), y.at(point.second), percent * (scores.front() - one.centre), ""});
  }
  Plot plot;
  add_heat(plot, drop_scale(), cells);
  plot.x = cells_axis(x, one.distance / std::sqrt(static_cast<double>(one.moved)),
                      "share of the way to the start");
  plot.y = cells_axis(y, 1, "β");
  plot.has_grid = false;
  plot.width = plot.height = 300;
  return plot;
}

Figure plane_figure(const ReportData& data) {
  Figure figure;
  figure.title = "A plane";
  figure.caption =
      "Points of accuracy above or below the trained model's, which is in the middle: across, "
      "the "
      "way to the start, which stands at 1; up, β along a Gaussian direction. The first seed.";
  figure.legend = heat_legend(drop_scale());
  std::set<std::string> shown;
  for (const ReportLandscape& one : data.landscapes) {
    if (!one.kinds.contains("plane")) continue;
    const std::string title = fmt::format("{}, {}", one.task, one.method);
    if (!shown.insert(title).second) continue;
    Plot plot = plane_panel(one);
    plot.title = title;
    plot.description = fmt::format("Score in a plane about {}", title);
    figure.panels.push_back(std::move(plot));
  }
  return figure;
}

struct Directions {
  const char* kind;
  const char* label;
  int color;
};
constexpr std::array<Directions, 3> directions = {{{"noise-leading", "leading", 0},
                                                   {"noise-trailing", "trailing", 1},
                                                   {"noise-random", "random", plot_muted}}};

/// Noise of one size in other directions of every matrix: a panel a task and method.
Figure directions_figure(const ReportData& data) {
  Figure figure;
  figure.title = "Under noise in singular directions alone";
  figure.caption = fmt::format(
      "Every encoder matrix gets noise of norm σ ‖W‖ within the span of {} of its leading, "
      "trailing "
      "or random directions on both sides; all else stands still. Mean over draws and seeds with "
      "its 95 % t-band.",
      data.config.landscape.basis_rank);
  for (const Directions& one : directions) figure.legend.push_back({one.label, one.color});
  for (const std::string& task : tasks_of(data)) {
    for (const std::string& method : methods_of(data)) {
      Plot plot;
      for (const Directions& one : directions) {
        const auto points = scores_by_alpha(data, task, method, one.kind);
        if (!points.empty()) add_curve(plot, points, one.color);
      }
      if (plot.series.empty()) continue;
      plot.title = fmt::format("{}, {}", task, method);
      plot.description = "Score by the size of noise, " + plot.title;
      plot.x.label = "σ, relative";
      plot.x.is_log = true;
      plot.y.label = "accuracy × 100";
      figure.panels.push_back(std::move(plot));
    }
  }
  return figure;
}

std::string radius_text(const ReportLandscape& one, const std::string& kind) {
  if (!one.has_basin(kind)) return "—";
  const Basin basin = basin_of(one, kind);
  return fmt::format("{}{} ({} to {})", basin.is_past_grid ? "≥ " : "",
                     significant_text(basin.radius.estimate, 3),
                     significant_text(basin.radius.low, 3), significant_text(basin.radius.high, 3));
}

std::string bound_text(const ReportLandscape& one) {
  const std::vector<BoundCheck> checks = bound_checks(one);
  if (checks.empty()) return "—";
  const auto count = [&](auto holds) { return std::count_if(checks.begin(), checks.end(), holds); };
  const auto telling = count([](const BoundCheck& check) { return check.says_something(); });
  const auto violated = count([](const BoundCheck& check) { return check.is_violated(); });
  if (telling == 0) return fmt::format("vacuous at all {} points", checks.size());
  return fmt::format("says something at {} of {} points, {}", telling, checks.size(),
                     violated == 0 ? "violated at none" : fmt::format("violated at {}", violated));
}

std::string basins_table(const ReportData& data) {
  std::string rows;
  for (const ReportLandscape& one : data.landscapes) {
    const double certified = certified_radius_of(one);
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html_escape(one.task), html_escape(one.method), one.seed, grouped_text(one.moved),
        fixed_text(percent * one.centre, 1), significant_text(one.norm, 4),
        one.distance > 0 ? significant_text(one.distance, 3) : "—", radius_text(one, "noise"),
        radius_text(one, relative_noise),
        one.kinds.contains("noise") ? significant_text(certified, 3) : "—", bound_text(one));
  }
  return "<div class=\"scroll\"><table>\n<tr><th>Task</th><th>Method</th><th>Seed</th>"
         "<th>Moved parameters</th><th>Accuracy</th><th>Norm</th><th>Distance to the start</th>"
         "<th>Basin, σ</th><th>Basin, relative σ</th><th>Certified radius</th><th>The bound on "
         "the way</th></tr>\n" +
         rows + "</table></div>\n";
}

}  // namespace

Section landscape_section(const ReportData& data) {
  Section section{"landscape", "Landscape", {}};
  if (data.landscapes.empty()) return section;
  section.blocks.push_back(
      {"<p>Accuracy on dev around a training's parameters (arXiv 2505.17646); of plain text how "
       "often "
       "the right token comes first at masked positions of held-out text, the same at every point. "
       "Moved are all parameters where all were trained, else what was but for the head. A basin "
       "ends at the largest σ of the grid where, there and at every smaller σ, noise costs at most "
       "5 % of what the score is above the most frequent class or token; its interval is by the "
       "edges of "
       "the drops' 95 % t-intervals. Relative σ counts in each tensor's ‖W‖<sub>F</sub>/√n: only "
       "that compares models whose weights have different norms. The certified radius is what the "
       "scores under noise promise without measuring there, at a level of 95 %.</p>\n" +
           basins_table(data),
       {}});
  const std::string by_direction =
      "Mean over directions and seeds with its 95 % t-band; α = 0 is the trained model.";
  Figure figures[] = {
      curve_figure(data, "most-case", "Along Gaussian directions", "α", by_direction, false),
      curve_figure(data, "most-case-scaled", "Along Gaussian directions, each tensor to its norm",
                   "α", by_direction, false),
      curve_figure(data, "sft-case", "Along the way to the start",
                   "α, towards the start where it is positive", by_direction, false),
      curve_figure(data, "worst-case", "Along the direction that gradient ascent finds worst", "α",
                   by_direction, false),
      curve_figure(data, "noise", "Under noise", "σ",
                   "Mean over draws and seeds with its 95 % t-band.", true),
      curve_figure(data, relative_noise, "Under noise in units of each tensor's size",
                   "σ, relative", "Mean over draws and seeds with its 95 % t-band.", true),
      directions_figure(data),
      plane_figure(data),
      bound_figure(data)};
  for (Figure& figure : figures) {
    if (!figure.panels.empty()) section.blocks.push_back({"", std::move(figure)});
  }
  return section;
}

}  // namespace basis
