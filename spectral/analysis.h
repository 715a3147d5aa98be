#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spectral/matrix.h"
#include "spectral/rotation.h"
#include "spectral/stability.h"
#include "spectral/svd.h"

namespace basis {

/// One weight before and after fine-tuning, each (out x in).
struct MatrixPair {
  std::string name;  // the parameter's Hugging Face name
  Matrix before;
  Matrix after;
};

struct AnalysisOptions {
  /// Gaussian changes simulated a matrix, a decomposition each. 0: the control is the first-order
  /// formula alone.
  int gaussian_draws = 0;
  /// Changes of the same singular values in random directions, a decomposition each.
  int haar_draws = 0;
  std::uint64_t seed = 0;
  /// Principal angles are found for these k; those above a matrix's rank are left out.
  std::vector<std::int64_t> angle_ranks = {8, 32};
  /// Draws behind the chance of the matched stability, once for every shape.
  int chance_draws = 200;
  /// Matrices at work at once, a thread each; 0: as many as OpenMP has threads. Results do not
  /// depend on it; memory does (see `analyse`).
  int concurrent = 0;
  /// Does the whole decompositions where it is given. Singular values alone stay LAPACK's: those of
  /// an adapter's change, most of which are zero, are what a device is worst at.
  Decompositions* device = nullptr;
};

struct PrincipalAngles {
  std::int64_t k = 0;
  std::vector<double> radians;  // (k), descending
};

/// What happened to the left (u) or the right (v) subspaces.
struct SideReport {
  Curve overlap;
  Curve overlap_corrected;
  Curve chance;  // of the overlap
  Curve rotation;
  Curve rotation_gaussian;  // simulated; empty without draws
  Curve rotation_haar;      // simulated; empty without draws
  Curve rotation_expected;  // first order, as METHODS 2 has it: infinite at equal singular values
  /// rotation / rotation_gaussian where that was simulated, else
  /// rotation / min(rotation_expected, 1 - k/d): no change turns a subspace further than chance.
  Curve ratio;
  std::vector<PrincipalAngles> angles;
  double intruders = 0;
};

/// Where the time of one matrix went, in seconds of its thread.
struct AnalysisTimes {
  double decompositions = 0;  // of both weights
  double change = 0;          // ΔW, its norms and singular values
  double basis = 0;           // inner products of bases, energies, stability, groups
  double controls = 0;        // simulated changes with their decompositions
  double curves = 0;          // of both sides, with angles

  AnalysisTimes& operator+=(const AnalysisTimes& other);
};

/// Everything of METHODS 2 that two matrices tell.
struct MatrixReport {
  std::string name;
  std::int64_t out = 0;
  std::int64_t in = 0;
  double change = 0;                // ‖ΔW‖_F / ‖W₀‖_F
  double change_norm = 0;           // ‖ΔW‖_F
  double change_spectral_norm = 0;  // ‖ΔW‖₂
  SideReport u;
  SideReport v;
  EnergyInBasis energy;
  Curve wedin;
  std::vector<double> sigma;
  std::vector<double> sigma_after;
  std::vector<double> sigma_shift;
  JointStability stability;
  std::vector<double> matched_chance;
  std::vector<GapGroup> groups;
  AnalysisTimes times;
};

/// Throws Error that names the matrix when the shapes differ or an element is not finite.
/// `decomposition_before` spares one of the decompositions where it is known.
/// `matched_chance` likewise; it is matched_stability_chance of this shape.
MatrixReport analyse_matrix(const MatrixPair& pair, const AnalysisOptions& options,
                            const Svd* decomposition_before = nullptr,
                            const std::vector<double>* matched_chance = nullptr);

/// The next pair, or nothing at the end. Called by one thread at a time, in order.
using PairSource = std::function<std::optional<MatrixPair>()>;
/// Called by one thread at a time, in the source's order.
using ReportSink = std::function<void(MatrixReport)>;

/// Analyses what `source` gives, `concurrent` matrices at a time, and holds no more than those:
/// about 8 matrices' worth of doubles each (150 MiB for 768 x 3072). The first exception of source,
/// sink or analysis stops it and is rethrown; reports before the failed matrix may have been
/// delivered.
void analyse(const PairSource& source, const AnalysisOptions& options, const ReportSink& sink);

}  // namespace basis
