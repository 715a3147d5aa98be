#include "experiments/spectrum.h"

#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "experiments/commands/commands.h"
#include "experiments/compute.h"
#include "experiments/report.h"

namespace basis {

int spectrum_command(const SpectrumOptions& options) {
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  reset_peak_memory();
  AnalysisTimes times;
  std::int64_t matrices = 0;
  AnalysisOptions analysis;
  analysis.gaussian_draws = options.gaussian_draws;
  write_spectrum(encoder_matrices(options.before, options.before),
                 encoder_matrices(options.after, options.before), options.out, analysis,
                 [&](const MatrixReport& report, std::int64_t done, std::int64_t all) {
                   times += report.times;
                   matrices = all;
                   if (!is_terminal) return;
                   fmt::print(stderr, "\r[{}/{}] {}\033[K{}", done, all, report.name,
                              done == all ? "\n" : "");
                   std::fflush(stderr);
                 });
  fmt::print("{} matrices, at most {:.0f} MiB; thread seconds:\n", matrices, peak_memory_mib());
  for (const auto& [what, seconds] :
       {std::pair{"decompositions of both weights", times.decompositions},
        std::pair{"the change and its singular values", times.change},
        std::pair{"bases against each other, energies", times.basis},
        std::pair{"simulated controls", times.controls},
        std::pair{"curves and angles", times.curves}}) {
    fmt::print("  {:<36} {:>7.1f}\n", what, seconds);
  }
  fmt::print("{}\n{}\n", (options.out / "spectrum.csv").string(),
             (options.out / "vectors.csv").string());
  return 0;
}

int report_command(const std::filesystem::path& run_folder) {
  fmt::print("{}\n", write_report(run_folder).string());
  return 0;
}

}  // namespace basis
