#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "experiments/runner.h"
#include "spectral/matrix.h"
#include "spectral/rotation.h"

namespace basis {

/// A weight at a moment of its pretraining, seen from its end and from its beginning (METHODS 2).
struct WeightMoment {
  SidedCurves from_final;  // rotation against the final basis, k = 1, 2, ...
  SidedCurves gaussian;    // what a Gaussian change of the final weight by as much turns its basis
  SidedCurves from_initial;    // empty where the initial weight is not among the moments
  double change_to_final = 0;  // ‖W - W_final‖_F / ‖W_final‖_F
};

struct MomentOptions {
  bool has_initial = false;  // is the first weight the initial one?
  std::int64_t k = 128;      // curves end there, or at the rank
  std::uint64_t seed = 0;    // of the Gaussian changes; of each weight of a model another one
  Decompositions* device = nullptr;
};

/// weights: (out x in) each, in order of time; the last one is final. Two decompositions for each.
std::vector<WeightMoment> weight_moments(std::span<const Matrix> weights,
                                         const MomentOptions& options);

/// Which directions of a weight (out x in) a text uses: of each i the singular value and
/// rms(v_iᵀ x). Their product is the functional spectrum (METHODS 2).
struct DirectionUse {
  std::vector<double> sigma;      // (r)
  std::vector<double> input_rms;  // (r)
};

/// second_moment: (in x in), the mean of x xᵀ over the text. Throws ShapeError.
DirectionUse direction_use(const Matrix& weight, const Matrix& second_moment,
                           Decompositions* device = nullptr);

/// The emergence stage: when in a pretraining does the final singular basis emerge? Its one input
/// is a pretrain stage, whose snapshots it reads. Leaves
///   emergence.csv, a row for every encoder matrix, snapshot, side (u, v) and k:
///     tokens, held_out_loss, matrix, side, k, overlap_final, overlap_initial, chance,
///     change_to_final, overlap_gaussian
///   overlap_gaussian: of the final basis with itself after a Gaussian change of that size, the
///   control: what nearness of the weights alone explains.
///   functional.csv, a row for every singular value of the final model and, where it was kept, of
///   the initial one, with the use that held-out text makes of its direction:
///     tokens, matrix, i, sigma, input_rms, functional
StageResult run_emergence(StageContext& stage);

}  // namespace basis
