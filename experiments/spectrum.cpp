#include "experiments/spectrum.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "experiments/compute.h"
#include "experiments/data_root.h"
#include "experiments/model_folder.h"
#include "experiments/stage_model.h"
#include "experiments/stage_store.h"
#include "experiments/start_weights.h"
#include "experiments/trainer.h"
#include "spectral/spectrum_csv.h"
#include "spectral/statistics.h"

namespace basis {

namespace {

/// k at which the ratio of a whole stage is summed up (issue of the study: rho_32).
constexpr std::int64_t summary_rank = 32;

/// The pairs of two lists of equal names, one after the other.
class Pairs {
 public:
  Pairs(std::vector<EncoderMatrix> before, std::vector<EncoderMatrix> after)
      : before_(std::move(before)), after_(std::move(after)) {
    if (before_.size() != after_.size()) {
      throw Error(
          fmt::format("spectrum: {} matrices before and {} after: not the same architecture",
                      before_.size(), after_.size()));
    }
    for (std::size_t i = 0; i < before_.size(); ++i) {
      if (before_[i].name != after_[i].name ||
          before_[i].value.shape() != after_[i].value.shape()) {
        throw Error(fmt::format("spectrum: {} {} before, {} {} after", before_[i].name,
                                before_[i].value.shape().to_string(), after_[i].name,
                                after_[i].value.shape().to_string()));
      }
    }
  }

  std::int64_t size() const { return std::ssize(before_); }
  std::optional<MatrixPair> next() {
    if (place_ == before_.size()) return std::nullopt;
    const std::size_t i = place_++;
    return MatrixPair{before_[i].name, to_matrix(before_[i].value.view()),
                      to_matrix(after_[i].value.view())};
  }

 private:
  std::vector<EncoderMatrix> before_, after_;
  std::size_t place_ = 0;
};

/// Geometric means over matrices and sides of what the report's table shows.
class Summary {
 public:
  void add(const MatrixReport& report) {
    change_.push_back(report.change);
    for (const SideReport* side : {&report.u, &report.v}) {
      if (side->rotation.empty()) continue;
      const auto at = static_cast<std::size_t>(
          std::min<std::int64_t>(summary_rank, std::ssize(side->rotation)) - 1);
      keep(rotations_, side->rotation[at]);
      keep(ratios_, side->ratio[at]);
      if (!side->rotation_haar.empty()) keep(haar_, side->rotation[at] / side->rotation_haar[at]);
    }
  }
  std::vector<std::pair<std::string, double>> metrics() const {
    std::vector<std::pair<std::string, double>> metrics{{"change", mean(change_)}};
    const auto add = [&](const char* name, const std::vector<double>& values) {
      if (!values.empty()) metrics.emplace_back(name, geometric_mean(values));
    };
    add("rotation_ratio_32", ratios_);
    add("rotation_ratio_haar_32", haar_);
    add("rotation_32", rotations_);
    return metrics;
  }

 private:
  static void keep(std::vector<double>& values, double value) {
    if (std::isfinite(value) && value > 0) values.push_back(value);
  }
  std::vector<double> change_, rotations_, ratios_, haar_;
};

}  // namespace

void write_spectrum(std::vector<EncoderMatrix> before, std::vector<EncoderMatrix> after,
                    const std::filesystem::path& out, const AnalysisOptions& options,
                    const SpectrumObserver& observer) {
  Pairs pairs(std::move(before), std::move(after));
  make_folder(out);
  SpectrumCsv csv(out);
  std::int64_t done = 0;
  analyse([&] { return pairs.next(); }, options,
          [&](const MatrixReport& report) {
            csv.add(report);
            if (observer) observer(report, ++done, pairs.size());
          });
  csv.commit();
}

StageResult run_spectrum(StageContext& stage) {
  const Config& config = stage.plan.config;
  // Inputs: the fine-tuning, and before it the pretraining where there is one.
  const StageInput& finetuned = stage.inputs.back();
  const std::filesystem::path before = start_model_folder(stage);
  const MethodSettings& method = config.method.at(stage.stage.method);
  reset_peak_memory();
  const DeviceDecompositions device(config.device, config.threads, config.tf32);
  Summary summary;
  AnalysisOptions options;
  options.gaussian_draws = 1;
  options.haar_draws = 1;
  options.angle_ranks = config.spectrum.ranks;
  options.seed = static_cast<std::uint64_t>(stage.stage.seed);
  options.concurrent = static_cast<int>(config.threads);
  options.device = device.get();
  write_spectrum(start_matrices(before, method, options.seed),
                 encoder_matrices(finetuned_folder(finetuned), before), stage.folder, options,
                 [&](const MatrixReport& report, std::int64_t done, std::int64_t all) {
                   summary.add(report);
                   if (stage.report_progress) stage.report_progress({done, all, std::nan(""), 0});
                   if (stage.should_stop()) throw Cancelled("stopped between two matrices");
                 });
  stage.remark(device.remark());
  StageResult result;
  result.metrics = summary.metrics();
  result.peak_mib = peak_memory_mib();
  return result;
}

}  // namespace basis
