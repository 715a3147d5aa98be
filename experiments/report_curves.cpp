#include "experiments/report_curves.h"

#include <algorithm>
#include <cmath>

#include "spectral/statistics.h"

namespace basis {

ReportCurve binned(const ReportCurve& curve, std::size_t bins) {
  if (curve.x.size() <= bins || bins == 0) return curve;
  ReportCurve means;
  const double begin = curve.x.front();
  const double width = (curve.x.back() - begin) / static_cast<double>(bins);
  std::size_t i = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const double end = begin + width * static_cast<double>(bin + 1);
    double x = 0;
    double y = 0;
    double count = 0;
    for (; i < curve.x.size() && (curve.x[i] <= end || bin + 1 == bins); ++i, ++count) {
      x += curve.x[i];
      y += curve.y[i];
    }
    if (count == 0) continue;
    means.x.push_back(x / count);
    means.y.push_back(y / count);
  }
  return means;
}

ReportCurve smoothed(const ReportCurve& curve, double span) {
  ReportCurve result = curve;
  const double decay = std::exp2(-1 / span);
  double sum = 0;
  double weight = 0;
  for (double& y : result.y) {
    sum = decay * sum + (1 - decay) * y;
    weight = decay * weight + (1 - decay);
    y = sum / weight;
  }
  return result;
}

ReportCurve mean_curve(const std::vector<ReportCurve>& curves) {
  ReportCurve result;
  for (std::size_t i = 0;; ++i) {
    double x = 0;
    double y = 0;
    double count = 0;
    for (const ReportCurve& curve : curves) {
      if (i >= curve.x.size()) continue;
      x += curve.x[i];
      y += curve.y[i];
      ++count;
    }
    if (count == 0) return result;
    result.x.push_back(x / count);
    result.y.push_back(y / count);
  }
}

RankCurve rank_curve(const std::vector<const std::vector<double>*>& runs) {
  RankCurve curve;
  std::size_t ranks = runs.empty() ? 0 : runs.front()->size();
  for (const auto* run : runs) ranks = std::min(ranks, run->size());
  for (std::size_t k = 0; k < ranks; ++k) {
    std::vector<double> logs;
    for (const auto* run : runs) {
      const double value = (*run)[k];
      if (std::isfinite(value) && value > 0) logs.push_back(std::log(value));
    }
    if (logs.size() < runs.size()) continue;
    curve.k.push_back(static_cast<double>(k + 1));
    curve.mean.push_back(std::exp(mean(logs)));
    if (logs.size() < 3) continue;
    const Interval interval = t_interval(logs);
    curve.low.push_back(std::exp(interval.low));
    curve.high.push_back(std::exp(interval.high));
  }
  return curve;
}

RankCurve thinned(const RankCurve& curve) {
  RankCurve kept;
  double next = 0;
  for (std::size_t i = 0; i < curve.k.size(); ++i) {
    if (curve.k[i] < next && i + 1 < curve.k.size()) continue;
    next = curve.k[i] * 1.03;
    kept.k.push_back(curve.k[i]);
    kept.mean.push_back(curve.mean[i]);
    if (curve.low.size() != curve.k.size()) continue;
    kept.low.push_back(curve.low[i]);
    kept.high.push_back(curve.high[i]);
  }
  return kept;
}

}  // namespace basis
