#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/number_table.h"
#include "experiments/report_landscape.h"

namespace basis {
namespace {

constexpr double level = 0.05;  // of the bounds of expectations

}  // namespace

ReportLandscape read_report_landscape(const std::filesystem::path& folder) {
  static const std::array<TableColumn, 5> columns = {
      {{"kind"}, {"place"}, {"alpha"}, {"beta"}, {"score"}}};
  NumberTable table(folder / "landscape.csv", columns);
  ReportLandscape landscape;
  while (table.next()) {
    const std::string& kind = table.text(0);
    const double alpha = table.number(2), beta = table.number(3), score = table.number(4);
    if (kind == "centre") {
      landscape.centre = score;
      landscape.moved = static_cast<std::int64_t>(alpha);
      landscape.distance = beta;
    } else if (kind == "norm") {
      landscape.norm = alpha;
    } else if (kind == "chance") {
      landscape.chance = score;
    } else {
      landscape.kinds[kind][{alpha, std::isfinite(beta) ? beta : 0}].push_back(score);
    }
  }
  return landscape;
}

bool ReportLandscape::has_basin(const std::string& kind) const {
  const auto noise = kinds.find(kind);
  return noise != kinds.end() && noise->second.begin()->second.size() > 1 && centre > chance;
}

Basin basin_of(const ReportLandscape& landscape, const std::string& kind) {
  std::vector<double> sigmas;
  std::vector<std::vector<double>> drops;
  for (const auto& [point, scores] : landscape.kinds.at(kind)) {
    sigmas.push_back(point.first);
    drops.emplace_back();
    for (const double score : scores) drops.back().push_back(landscape.centre - score);
  }
  return basin_of(sigmas, drops, landscape.tolerance());
}

std::vector<BoundCheck> bound_checks(const ReportLandscape& landscape) {
  std::vector<BoundCheck> checks;
  const auto noise = landscape.kinds.find("noise");
  const auto path = landscape.kinds.find("path");
  if (noise == landscape.kinds.end() || path == landscape.kinds.end()) return checks;
  for (const auto& [point, scores] : path->second) {
    const auto [share, sigma] = point;
    const auto centre = noise->second.find({sigma, 0});
    if (centre == noise->second.end() || scores.size() < 2 || centre->second.size() < 2) continue;
    const double p = bernstein_lower(centre->second, level);
    checks.push_back({share, sigma, certified_score(p, share * landscape.distance, sigma),
                      mean(scores), bernstein_upper(scores, level)});
  }
  return checks;
}

double certified_radius_of(const ReportLandscape& landscape) {
  double largest = 0;
  const auto noise = landscape.kinds.find("noise");
  if (noise == landscape.kinds.end()) return largest;
  const double wanted = landscape.centre - landscape.tolerance();
  for (const auto& [point, scores] : noise->second) {
    if (scores.size() < 2 || wanted <= 0 || wanted >= 1) continue;
    const double p = std::min(bernstein_lower(scores, level), 1 - 1e-12);
    largest = std::max(largest, certified_radius(p, wanted, point.first));
  }
  return largest;
}

}  // namespace basis
