#pragma once

#include <filesystem>

#include "spectral/analysis.h"
#include "tensor/file.h"

namespace basis {

/// Writes reports as two tables, matrix after matrix; neither is seen before `commit`.
/// Numbers have 12 significant digits; what is not defined is an empty field, infinity is "inf".
///
/// spectrum.csv, a row for every matrix, side (u, v) and k:
///   matrix, side, k, overlap, overlap_corrected, chance, rotation, rotation_gaussian and
///   rotation_haar (each empty without simulation), rotation_expected, ratio, energy_core,
///   energy_diagonal, change, out, in, energy_core_chance, energy_diagonal_chance, wedin_bound,
///   largest_angle (radians, where asked), intruders
/// vectors.csv, a row for every matrix and singular pair i (from 1):
///   matrix, i, sigma, sigma_after, sigma_shift, coefficient_shift, stability_diagonal,
///   stability_matched, matched_with, matched_chance, group_begin, group_end (both inclusive),
///   group_overlap_u, group_overlap_v
class SpectrumCsv {
 public:
  /// Throws Error when `folder` is missing or cannot be written.
  explicit SpectrumCsv(const std::filesystem::path& folder);

  void add(const MatrixReport& report);
  /// Puts both files in place. At most once.
  void commit();

 private:
  AtomicFile spectrum_;
  AtomicFile vectors_;
};

}  // namespace basis
