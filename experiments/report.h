#pragma once

#include "experiments/report_html.h"
#include "experiments/runner.h"

namespace basis {

/// The report stage: writes RUN/report.html from the finished stages in one step. Throws Error when
/// gnuplot is missing or the file cannot be written.
StageResult run_report(StageContext& stage);

/// `basis report RUN`: the same for a run's folder as it stands, returns the report's path.
std::filesystem::path write_report(const std::filesystem::path& run_folder);

}  // namespace basis
