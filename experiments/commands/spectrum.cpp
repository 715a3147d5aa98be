#include "experiments/spectrum.h"

#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "experiments/commands/commands.h"
#include "experiments/report.h"

namespace basis {

int spectrum_command(const SpectrumOptions& options) {
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  AnalysisOptions analysis;
  analysis.gaussian_draws = options.gaussian_draws;
  write_spectrum(encoder_matrices(options.before, options.before),
                 encoder_matrices(options.after, options.before), options.out, analysis,
                 [&](const MatrixReport& report, std::int64_t done, std::int64_t all) {
                   if (!is_terminal) return;
                   fmt::print(stderr, "\r[{}/{}] {}\033[K{}", done, all, report.name,
                              done == all ? "\n" : "");
                   std::fflush(stderr);
                 });
  fmt::print("{}\n{}\n", (options.out / "spectrum.csv").string(),
             (options.out / "vectors.csv").string());
  return 0;
}

int report_command(const std::filesystem::path& run_folder) {
  fmt::print("{}\n", write_report(run_folder).string());
  return 0;
}

}  // namespace basis
