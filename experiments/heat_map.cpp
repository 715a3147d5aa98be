#include "experiments/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/error.h"

namespace basis {
namespace {

using Style = PlotSeries::Style;

constexpr int steps = 4;  // on each side of the neutral level
constexpr std::array<double, steps + 1> opacities = {0.12, 0.3, 0.52, 0.76, 1};
constexpr double deep = 0.7;  // cells of more opacity carry text in the page's colour

/// -4 to 4.
int level_of(const HeatScale& scale, double value) {
  const auto step =
      static_cast<int>(std::upper_bound(scale.edges.begin(), scale.edges.end(), std::abs(value)) -
                       scale.edges.begin());
  return value < 0 ? -step : step;
}

double opacity_of(int level) {
  return opacities[static_cast<std::size_t>(std::abs(level))];
}

int hue_of(const HeatScale& scale, int level) {
  if (level == 0) return plot_muted;
  return level < 0 ? scale.below : scale.above;
}

void add_point(PlotSeries& series, const HeatCell& cell) {
  series.x.push_back(cell.x);
  series.y.push_back(cell.y);
}

PlotSeries marks(Style style, bool is_deep, double size) {
  PlotSeries series;
  series.style = style;
  series.color = is_deep ? plot_paper : plot_ink;
  series.width = size;
  return series;
}

}  // namespace

void add_heat(Plot& plot, const HeatScale& scale, const std::vector<HeatCell>& cells) {
  ensure(scale.edges.size() == steps && scale.names.size() == 2 * steps + 1,
         "a heat map's scale has four edges and nine names");
  std::array<PlotSeries, 2 * steps + 1> levels;
  std::array<PlotSeries, 2> dots = {marks(Style::Points, false, 0.2),
                                    marks(Style::Points, true, 0.2)};
  std::array<PlotSeries, 2> texts = {marks(Style::Texts, false, 11), marks(Style::Texts, true, 11)};
  for (const HeatCell& cell : cells) {
    if (!std::isfinite(cell.value)) continue;
    const int level = level_of(scale, cell.value);
    add_point(levels[static_cast<std::size_t>(level + steps)], cell);
    const std::size_t is_deep = opacity_of(level) > deep ? 1 : 0;
    if (!cell.text.empty()) {
      add_point(texts[is_deep], cell);
      texts[is_deep].texts.push_back(cell.text);
    } else if (level > 0) {
      add_point(dots[is_deep], cell);
    }
  }
  for (int level = -steps; level <= steps; ++level) {
    PlotSeries& series = levels[static_cast<std::size_t>(level + steps)];
    series.style = Style::Cells;
    series.color = hue_of(scale, level);
    series.opacity = opacity_of(level);
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  for (std::array<PlotSeries, 2>* both : {&dots, &texts}) {
    for (PlotSeries& series : *both) {
      if (!series.x.empty()) plot.series.push_back(std::move(series));
    }
  }
  plot.has_grid = false;
}

std::vector<LegendEntry> heat_legend(const HeatScale& scale) {
  std::vector<LegendEntry> legend;
  for (int level = -steps; level <= steps; ++level) {
    LegendEntry entry;
    entry.label = scale.names[static_cast<std::size_t>(level + steps)];
    entry.color = hue_of(scale, level);
    entry.cell_opacity = opacity_of(level);
    legend.push_back(std::move(entry));
  }
  return legend;
}

}  // namespace basis
