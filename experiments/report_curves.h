#pragma once

#include <vector>

#include "experiments/report_data.h"

namespace basis {

/// Means of y over about `bins` stretches of equal length in x, at their mean x: a curve that a
/// page can hold. Shorter curves stay as they are.
ReportCurve binned(const ReportCurve& curve, std::size_t bins);

/// Exponentially weighted mean in the direction of x with bias correction; `span` points count
/// about half.
ReportCurve smoothed(const ReportCurve& curve, double span);

/// Means point by point of curves that have the same x; those that are shorter count as far as they
/// go.
ReportCurve mean_curve(const std::vector<ReportCurve>& curves);

/// Curves over k = 1, 2, ... of several runs: geometric mean and, from three runs on, the 95 %
/// t-interval of the logarithm; `low` and `high` are empty for fewer.
struct RankCurve {
  std::vector<double> k;
  std::vector<double> mean;
  std::vector<double> low;
  std::vector<double> high;
};
RankCurve rank_curve(const std::vector<const std::vector<double>*>& runs);

/// Every rank up to 16, then about 24 an octave: what an eye can tell apart.
RankCurve thinned(const RankCurve& curve);

}  // namespace basis
