#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "experiments/heat_map.h"
#include "experiments/html.h"

namespace basis {
namespace {

constexpr std::size_t most_with_numbers = 60;  // cells of a panel
constexpr double gap_of_kinds = 0.7;           // rows

const HeatScale& ratio_scale() {
  static const HeatScale scale = {{std::log2(1.1), std::log2(1.5), 1, 2},
                                  {"ρ below 0.25", "0.25–0.5", "0.5–0.67", "0.67–0.91", "0.91–1.1",
                                   "1.1–1.5", "1.5–2", "2–4", "above 4"},
                                  0,
                                  1};
  return scale;
}

/// Where a matrix stands: by kind, then by layer.
using MatrixPlace = std::pair<std::string, std::int64_t>;

/// Mean of log2 rho over seeds by matrix and k.
std::map<MatrixPlace, std::map<std::int64_t, double>> mean_ratios(const ReportData& data,
                                                                  const std::string& task,
                                                                  const std::string& method) {
  std::map<std::tuple<MatrixPlace, std::int64_t>, std::pair<double, int>> sums;
  for (const ReportSpectrum& one : data.spectra) {
    if (one.task != task || one.method != method) continue;
    for (const ReportRatio& ratio : one.ratios) {
      if (ratio.layer < 0 || !std::isfinite(ratio.ratio) || ratio.ratio <= 0) continue;
      auto& [sum, count] = sums[{{ratio.kind, ratio.layer}, ratio.k}];
      sum += std::log2(ratio.ratio);
      ++count;
    }
  }
  std::map<MatrixPlace, std::map<std::int64_t, double>> means;
  for (const auto& [place, sum] : sums) {
    means[std::get<0>(place)][std::get<1>(place)] = sum.first / sum.second;
  }
  return means;
}

/// Rows downwards in the order of kinds, layers within.
std::map<MatrixPlace, double> rows_of(const std::set<MatrixPlace>& matrices, PlotAxis& axis) {
  std::map<MatrixPlace, double> rows;
  std::map<std::string, std::pair<double, double>> ends;
  double y = 0;
  std::string kind;
  for (const MatrixPlace& place : matrices) {
    if (place.first != kind && !kind.empty()) y -= gap_of_kinds;
    kind = place.first;
    rows[place] = y;
    ends.try_emplace(kind, y, y).first->second.second = y;
    y -= 1;
  }
  for (const auto& [name, end] : ends) {
    axis.ticks.emplace_back((end.first + end.second) / 2, name.substr(2));
  }
  axis.low = y + 0.3;
  axis.high = 0.7;
  return rows;
}

/// A tick for every k, or for every other one where they are many.
void set_ranks(const std::set<std::int64_t>& ranks, PlotAxis& axis) {
  int place = 0;
  for (const std::int64_t k : ranks) {
    if (ranks.size() > 6 && place++ % 2 == 1) continue;
    axis.ticks.emplace_back(std::log2(static_cast<double>(k)), fmt::format("{}", k));
  }
  axis.label = "k, leading singular vectors";
  axis.low = std::log2(static_cast<double>(*ranks.begin())) - 0.6;
  axis.high = std::log2(static_cast<double>(*ranks.rbegin())) + 0.6;
}

Plot heat_panel(const ReportData& data, const std::string& task, const std::string& method) {
  Plot plot;
  const auto ratios = mean_ratios(data, task, method);
  std::set<MatrixPlace> matrices;
  std::set<std::int64_t> ranks;
  std::size_t count = 0;
  for (const auto& [place, by_rank] : ratios) {
    matrices.insert(place);
    for (const auto& [k, value] : by_rank) ranks.insert(k);
    count += by_rank.size();
  }
  if (count == 0) return plot;
  const std::map<MatrixPlace, double> rows = rows_of(matrices, plot.y);
  std::vector<HeatCell> cells;
  for (const auto& [place, by_rank] : ratios) {
    for (const auto& [k, value] : by_rank) {
      HeatCell cell{std::log2(static_cast<double>(k)), rows.at(place), value, ""};
      if (count <= most_with_numbers) cell.text = significant_text(std::exp2(value), 2);
      cells.push_back(std::move(cell));
    }
  }
  add_heat(plot, ratio_scale(), cells);
  set_ranks(ranks, plot.x);
  plot.title = task;
  plot.description = fmt::format("Rotation ratio by layer, kind of matrix and k on {}", task);
  const double height_of_row = std::clamp(420.0 / (*plot.y.high - *plot.y.low), 5.0, 18.0);
  plot.height = 62 + height_of_row * (*plot.y.high - *plot.y.low);
  plot.left_margin = 17;
  return plot;
}

/// Those that claims on rotation ratios are about; without one the first full fine-tuning.
std::vector<std::string> methods_of_heat(const ReportData& data) {
  std::vector<std::string> methods;
  for (const auto& [name, claim] : data.config.claim) {
    const bool is_new = !contains(methods, claim.method);
    const bool is_there = std::any_of(data.spectra.begin(), data.spectra.end(),
                                      [&](const auto& one) { return one.method == claim.method; });
    if (claim.endpoint == "rotation-ratio" && is_new && is_there) methods.push_back(claim.method);
  }
  if (!methods.empty()) return methods;
  std::string first;
  for (const std::string& method : data.config.methods) {
    const bool is_there = std::any_of(data.spectra.begin(), data.spectra.end(),
                                      [&](const auto& one) { return one.method == method; });
    if (!is_there) continue;
    const MethodSettings& settings = data.config.method.at(method);
    if (settings.kind == "full" && settings.start == "pretrained") return {method};
    if (first.empty()) first = method;
  }
  return first.empty() ? methods : std::vector<std::string>{first};
}

bool has_dots(const Figure& figure) {
  return std::any_of(figure.panels.begin(), figure.panels.end(), [](const Plot& panel) {
    return std::any_of(panel.series.begin(), panel.series.end(), [](const PlotSeries& series) {
      return series.style == PlotSeries::Style::Points;
    });
  });
}

}  // namespace

Figure heat_figure(const ReportData& data) {
  Figure figure;
  const std::vector<std::string> methods = methods_of_heat(data);
  std::string names;
  for (const std::string& method : methods) {
    names += (names.empty() ? "" : ", ") + method;
    for (const std::string& task : data.config.tasks) {
      Plot panel = heat_panel(data, task, method);
      if (panel.series.empty()) continue;
      if (methods.size() > 1) panel.title += ", " + method;
      figure.panels.push_back(std::move(panel));
    }
  }
  figure.title = "Rotation ratio by layer and rank";
  figure.caption = fmt::format(
      "ρₖ of every encoder matrix under {}, geometric mean over seeds and both sides; the rows "
      "of a kind are its layers, the first at the top. Blue: more stable than a Gaussian change "
      "of equal size leaves it; orange: less. A row of one colour is a matrix that turns alike at "
      "every k, a column of one colour a k at which all matrices do.",
      names);
  figure.legend = heat_legend(ratio_scale());
  if (has_dots(figure)) figure.legend.push_back({"a dot: above 1.1", plot_ink, false, 0, true});
  return figure;
}

}  // namespace basis
