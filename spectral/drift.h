#pragma once

#include <cstdint>
#include <vector>

#include "spectral/matrix.h"
#include "spectral/rotation.h"
#include "spectral/svd.h"

namespace basis {

/// One weight before and after several fine-tunings from the same start, to ask whether they turn
/// its leading subspaces alike (METHODS 2, co-drift). Keeps of each its change and the leading k
/// vectors: out·in + (out + in)·k doubles.
class WeightDrifts {
 public:
  /// start: (out x in)   k: curves hold 1..k; cut to the rank.
  WeightDrifts(const Matrix& start, std::int64_t k, Decompositions* device = nullptr);

  /// A fine-tuned weight (out x in); returns its number, from 0. Throws ShapeError for another
  /// shape.
  std::size_t add(const Matrix& after);
  /// The start with a Gaussian change of the Frobenius norm of change `like`: what drifts without
  /// reason. Returns its number.
  std::size_t add_gaussian(std::size_t like, std::uint64_t seed, std::uint64_t purpose);

  /// From the start to one of them.
  const SidedCurves& rotation(std::size_t i) const { return drifts_.at(i).rotation; }

  struct Pair {
    SidedCurves rotation;  // of j's subspaces against i's
    SidedCurves co_drift;
    double cosine = 0;  // of the two changes
  };
  Pair compare(std::size_t i, std::size_t j) const;

 private:
  /// The leading vectors, (out x k) and (in x k).
  struct Leading {
    Matrix u, v;
  };
  struct Drift {
    Matrix change;
    Leading leading;
    SidedCurves rotation;
  };
  Leading leading_of(const Matrix& weight) const;
  std::size_t add_change(Matrix change, const Matrix& after);

  Matrix start_;
  std::int64_t k_;
  Decompositions* device_;
  Leading leading_;
  std::vector<Drift> drifts_;
};

}  // namespace basis
