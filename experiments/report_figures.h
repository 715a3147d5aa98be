#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/plot.h"
#include "experiments/report_scores.h"

namespace basis {

struct LegendEntry {
  std::string label;
  int color = plot_ink;
  bool is_dashed = false;
  double cell_opacity = 0;  // above 0: a square of a heat map's scale instead of a line
  bool is_dot = false;      // a mark instead of a line
};

/// Panels side by side under one legend and one caption. Without panels there is no figure.
struct Figure {
  std::string title;
  std::string caption;  // plain text: what it shows and what to see
  std::vector<LegendEntry> legend;
  std::vector<Plot> panels;
  bool is_wide = false;  // panels of twice the width
};

/// An axis of k = 1, 4, 16, ..., logarithmic.
PlotAxis rank_axis(std::string label);

/// The place of a method in the palette, the same in every figure and table of a report. Methods of
/// one family share theirs; families come first, so that two of them share one only where there are
/// more than the palette holds.
int method_color(const Config& config, const std::string& method);

/// A line for each method in its colour.
std::vector<LegendEntry> method_legend(const Config& config,
                                       const std::vector<std::string>& methods);

/// Adds the mean of several runs' scores by x, times 100, and from three on the band of their 95 %
/// t-intervals.
void add_curve(Plot& plot, const std::map<double, std::vector<double>>& points, int color);

/// Ranks k or places i on a logarithmic axis.
PlotAxis rank_axis(std::string label);

Figure score_figure(const ReportData& data, const ScoreTable& table);
/// Score against trained share, methods of a family as curves; without a panel where no family has
/// two methods of different size.
Figure budget_figure(const ReportData& data, const ScoreTable& table);
Figure budget_by_task_figure(const ReportData& data, const ScoreTable& table);
Figure loss_figure(const ReportData& data);
Figure dev_figure(const ReportData& data, const ScoreTable& table);
Figure pretraining_figure(const ReportData& data);

// Of the spectrum stages.
Figure sigma_figure(const ReportData& data);
Figure shift_figure(const ReportData& data);
Figure rotation_figure(const ReportData& data);
Figure ratio_figure(const ReportData& data);
Figure dose_figure(const ReportData& data);
/// By layer, kind of matrix and k, of the methods that claims are about.
Figure heat_figure(const ReportData& data);

}  // namespace basis
