#pragma once

#include <string>
#include <vector>

#include "experiments/report_figures.h"

namespace basis {

/// Values about a neutral 0 in two hues: four levels on each side, deeper further out, and one
/// about 0.
struct HeatScale {
  std::vector<double> edges;       // four above 0; the levels below lie in the mirror
  std::vector<std::string> names;  // of the nine levels, the lowest first
  int below = 0;                   // hue of what lies below 0
  int above = 1;
};

struct HeatCell {
  double x = 0;  // its middle; cells are 1 wide and high
  double y = 0;
  double value = 0;  // what is not finite has no cell
  std::string text;  // printed in it
};

/// Adds the cells to the plot, a series a level, then their texts. Cells without text that lie
/// above the neutral level get a dot, so that the two hues can be told apart in grey.
void add_heat(Plot& plot, const HeatScale& scale, const std::vector<HeatCell>& cells);

/// The scale with its numbers.
std::vector<LegendEntry> heat_legend(const HeatScale& scale);

}  // namespace basis
