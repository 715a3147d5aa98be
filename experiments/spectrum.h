#pragma once

#include <filesystem>
#include <functional>

#include "experiments/runner.h"
#include "spectral/analysis.h"

namespace basis {

/// The spectrum stage: the encoder's matrices before and after one fine-tuning. Leaves spectrum.csv
/// and vectors.csv (spectral/spectrum_csv.h) in the stage's folder.
StageResult run_spectrum(StageContext& stage);

/// The same for two model folders; an adapter folder may stand for the model after it. Matrices of
/// equal name are paired in order of the layers. Calls `on_matrix(done, all)`. Throws Error where the
/// folders hold other matrices.
void write_spectrum(const std::filesystem::path& before, const std::filesystem::path& after,
                    const std::filesystem::path& out, const AnalysisOptions& options,
                    const std::function<void(std::int64_t, std::int64_t)>& on_matrix = nullptr);

}  // namespace basis
