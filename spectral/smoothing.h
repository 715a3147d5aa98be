#pragma once

#include <vector>

#include "spectral/statistics.h"

namespace basis {

// What a score that stays under Gaussian noise promises elsewhere (METHODS 3, "Bound").

/// Φ, the standard normal distribution, and its inverse; probability in (0, 1).
double normal_distribution(double x);
double normal_quantile(double probability);

/// A lower bound of E S at level `a` of independent scores in [0, 1], by empirical Bernstein:
/// S̄ - √(2 v ln(2/a)/m) - 7 ln(2/a) / (3 (m - 1)); at least 0. Needs two.
double bernstein_lower(const std::vector<double>& scores, double a);
/// The upper bound likewise, at most 1.
double bernstein_upper(const std::vector<double>& scores, double a);

/// Φ(Φ⁻¹(p) - distance/σ): what E S at most falls to at that distance, where p bounds it from below
/// at the centre. 0 where p is 0, 1 where it is 1.
double certified_score(double p, double distance, double sigma);
/// How far away E S is certainly above q: σ (Φ⁻¹(p) - Φ⁻¹(q)); 0 where p is not above q.
double certified_radius(double p, double q, double sigma);

/// A basin: the largest σ of a grid with a drop of at most τ there and at every smaller σ.
struct Basin {
  Interval radius;            // low and high by the edges of the drops' intervals; 0: at none
  bool is_past_grid = false;  // the estimate is the grid's last σ
};
/// sigmas: ascending; drops: at each, of every draw, S(θ) - S(θ + ε). Throws Error where sizes
/// differ or a σ has one draw.
Basin basin_of(const std::vector<double>& sigmas, const std::vector<std::vector<double>>& drops,
               double tolerance, double confidence = 0.95);

}  // namespace basis
