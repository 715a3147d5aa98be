#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "spectral/smoothing.h"

namespace basis {

/// The kind of noise that compares models whose weights have different norms.
inline constexpr const char* relative_noise = "noise-relative";

/// Scores at one point of a kind (alpha, beta), of every direction or draw.
using LandscapePoints = std::map<std::pair<double, double>, std::vector<double>>;

/// A finished landscape stage.
struct ReportLandscape {
  std::string task;    // "pretraining" where it is of one
  std::string method;  // of a pretraining its model, or "pretrained"
  std::int64_t seed = 0;
  std::string model;               // of [model.NAME], of several
  std::string base_method;         // as the config has it: without the model; none of a pretraining
  std::int64_t pretrain_seed = 0;  // of the model, where it is pretrained here
  double centre = 0;               // S(θ)
  double chance = 0;               // of the most frequent class or token
  std::int64_t moved = 0;          // parameters, n
  double norm = 0;                 // ‖θ‖
  double distance = 0;             // ‖θ - start‖; 0 where no kind went there
  std::map<std::string, LandscapePoints> kinds;

  /// τ: 5 % of what the score is above chance.
  double tolerance() const { return 0.05 * (centre - chance); }
  bool is_of_pretraining() const { return base_method.empty(); }
  /// Is there noise of that kind, with two draws or more, and a score that it could cost?
  bool has_basin(const std::string& kind) const;
};

/// landscape.csv of a stage's folder. Throws Error.
ReportLandscape read_report_landscape(const std::filesystem::path& folder);

/// The basin in "noise" or "noise-relative" of a landscape that has one.
Basin basin_of(const ReportLandscape& landscape, const std::string& kind);

/// The bound of METHODS 3 against what was measured, at one point of the way to the start.
struct BoundCheck {
  double share = 0;  // of the way
  double sigma = 0;
  double bound = 0;     // Φ(Φ⁻¹(p) - share · distance / σ), p a lower bound at θ
  double measured = 0;  // E S there
  double upper = 0;     // an upper bound of it
  bool says_something() const { return bound >= 0.1; }
  bool is_violated() const { return upper < bound; }
};
/// Where there is noise at θ and on the way, of the same σ.
std::vector<BoundCheck> bound_checks(const ReportLandscape& landscape);

/// Where the score is certainly within the tolerance: the largest σ (Φ⁻¹(p) - Φ⁻¹(q)) over the σ of
/// absolute noise, q = S(θ) - τ; 0 where no σ certifies anything.
double certified_radius_of(const ReportLandscape& landscape);

}  // namespace basis
