#pragma once

#include <string>
#include <vector>

#include "experiments/plot.h"
#include "experiments/report_scores.h"

namespace basis {

struct LegendEntry {
  std::string label;
  int color = plot_ink;
  bool is_dashed = false;
};

/// Panels side by side under one legend and one caption. Without panels there is no figure.
struct Figure {
  std::string title;
  std::string caption;  // plain text: what it shows and what to see
  std::vector<LegendEntry> legend;
  std::vector<Plot> panels;
  bool is_wide = false;  // panels of twice the width
};

/// The place of a method in the palette, the same in every figure and table of a report.
int method_color(const Config& config, const std::string& method);

/// Ranks k or places i on a logarithmic axis.
PlotAxis rank_axis(std::string label);

Figure score_figure(const ReportData& data, const ScoreTable& table);
Figure loss_figure(const ReportData& data);
Figure dev_figure(const ReportData& data, const ScoreTable& table);
Figure pretraining_figure(const ReportData& data);

// Of the spectrum stages.
Figure sigma_figure(const ReportData& data);
Figure shift_figure(const ReportData& data);
Figure rotation_figure(const ReportData& data);
Figure ratio_figure(const ReportData& data);
Figure dose_figure(const ReportData& data);

}  // namespace basis
