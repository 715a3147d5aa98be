#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "experiments/model_folder.h"
#include "experiments/runner.h"
#include "spectral/analysis.h"

namespace basis {

/// The spectrum stage: the encoder's matrices before and after one fine-tuning. Leaves spectrum.csv
/// and vectors.csv (spectral/spectrum_csv.h) in the stage's folder.
StageResult run_spectrum(StageContext& stage);

/// Told after each matrix: its report, how many are done, of how many.
using SpectrumObserver =
    std::function<void(const MatrixReport& report, std::int64_t done, std::int64_t all)>;

/// The same for the encoder's matrices of two models (experiments/model_folder.h), in their order.
/// Throws Error where the two differ in shape.
void write_spectrum(std::vector<EncoderMatrix> before, std::vector<EncoderMatrix> after,
                    const std::filesystem::path& out, const AnalysisOptions& options,
                    const SpectrumObserver& observer = nullptr);

}  // namespace basis
