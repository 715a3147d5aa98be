#pragma once

#include <string>

#include "experiments/report_data.h"

namespace basis {

/// One HTML page that needs no other file, no network and no script: scores, costs, curves,
/// spectra, pretraining, how to make it again, and what it cannot say. Runs gnuplot once. Throws
/// Error as render_plots does; `gnuplot` is the program's name.
std::string report_html(const ReportData& data, const std::string& gnuplot = "gnuplot");

}  // namespace basis
