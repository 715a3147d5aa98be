#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/attacked_answers.h"
#include "experiments/config.h"
#include "experiments/cross_fitted.h"
#include "experiments/predictions.h"
#include "experiments/recorder.h"
#include "experiments/report_landscape.h"
#include "experiments/runner.h"
#include "experiments/stage_result.h"

namespace basis {

/// Pretraining seed and fine-tuning seed: runs that differ in these alone repeat each other.
using Replicate = std::pair<std::int64_t, std::int64_t>;

/// Points in order of x.
struct ReportCurve {
  std::vector<double> x;
  std::vector<double> y;
  bool is_empty() const { return x.empty(); }
};

/// A finished pretrain or finetune stage with what its metrics.jsonl holds.
struct ReportRun {
  std::string task;    // empty for pretraining
  std::string method;  // empty for pretraining
  std::int64_t seed = 0;
  StageResult result;
  std::map<std::string, ReportCurve> curves;  // by key: "loss", "dev_accuracy"; x: the step
  std::optional<Predictions> predictions;     // where a claim wants them
  std::string model;                          // of [model.NAME], of several
  std::string base_method;                    // as the config has it: without the model
  std::int64_t pretrain_seed = 0;             // of the model, where it is pretrained here
  Replicate replicate() const { return {pretrain_seed, seed}; }

  /// Nothing when there is none of that name.
  const ReportCurve* curve(const std::string& name) const;
};

/// One matrix in a finished spectrum stage, at k = dose_rank.
struct ReportDose {
  std::string matrix;   // the parameter's name
  double change = 0;    // ‖ΔW‖/‖W₀‖
  double rotation = 0;  // geometric mean of u's and v's
  double control = 0;   // of a Gaussian change of equal size, likewise
};

/// Singular values of all matrices of one kind, geometric means over the layers.
struct ReportSigma {
  std::vector<double> before;  // (r), i = 1..r
  std::vector<double> after;
};

/// How far a choice of side, kind of matrix, rank and control puts the rotation ratio from 1.
struct ReportEffect {
  std::string side;     // "u" or "v"
  std::string kind;     // of matrix
  std::string control;  // "Gaussian", "Haar", "first order"
  std::int64_t k = 0;
  double ratio = 0;  // geometric mean over layers
};

/// rho_k of one matrix at k = 1, 2, 4, ...: geometric mean over both sides.
struct ReportRatio {
  std::string kind;         // of matrix
  std::int64_t layer = -1;  // -1: in none
  std::int64_t k = 0;
  double ratio = 0;
};

/// A finished spectrum stage. Curves hold k = 1, 2, ...: geometric means over matrices and sides,
/// which end where some matrix has no such k.
struct ReportSpectrum {
  std::string task;
  std::string method;
  std::int64_t seed = 0;
  std::vector<double> rotation;
  std::vector<double> control;  // simulated, or first order but at most chance
  std::vector<double> ratio;    // rho_k
  std::vector<double> chance;   // 1 - k/d
  double change = 0;            // geometric mean of ‖ΔW‖/‖W₀‖ over matrices
  std::int64_t matrices = 0;
  std::int64_t dose_rank = 0;
  std::vector<ReportDose> doses;
  std::map<std::string, ReportSigma> sigma;  // by kind of matrix, "1 query"
  std::vector<double> shift;                 // (r): median over matrices of |σ'_i - σ_i|/σ_i
  bool is_simulated = false;                 // is `control` simulated?
  std::vector<ReportEffect> effects;         // at k = 1, 2, 4, ...
  std::vector<ReportRatio> ratios;
  std::string model;               // of [model.NAME], of several
  std::string base_method;         // as the config has it: without the model
  std::int64_t pretrain_seed = 0;  // of the model, where it is pretrained here
  Replicate replicate() const { return {pretrain_seed, seed}; }
};

/// A row of sharing.csv, the mean over layers.
struct ReportCoDrift {
  std::string relation;
  std::int64_t replicate = 0;
  std::string first;  // task/method/seed
  std::string second;
  std::string side;
  std::string kind;  // of matrix
  std::int64_t k = 0;
  double co_drift = 0;
  double cosine = 0;
  std::string model;
  std::int64_t pretrain_seed = 0;
};

/// "cola" of "cola/full/0", as sharing.csv names runs.
std::string task_of_run(const std::string& run);

/// A row of a surgery.csv.
struct ReportCut {
  std::string task;
  std::string method;
  std::int64_t seed = 0;
  std::string basis;
  std::string part;
  std::int64_t k = 0;  // 0: of nothing and everything
  double energy = 0;
  double score = 0;
};

/// A finished robustness stage.
struct ReportRobustness {
  std::string task;
  std::string method;
  std::int64_t seed = 0;
  std::int64_t pretrain_seed = 0;
  AttackedAnswers answers;
  Replicate replicate() const { return {pretrain_seed, seed}; }
};

/// Spectra of all matrices of one kind, each relative to its root mean square over i = 1..r,
/// geometric means over the layers.
struct ReportUse {
  std::vector<double> sigma, functional;
  std::vector<double> sigma_initial, functional_initial;  // empty where the beginning was not kept
};

/// A finished emergence stage. Curves are over tokens; overlaps are corrected and means over
/// matrices and sides.
struct ReportEmergence {
  std::string model;
  std::int64_t seed = 0;                             // of the pretraining
  std::map<std::int64_t, ReportCurve> with_final;    // by k
  std::map<std::int64_t, ReportCurve> gaussian;      // by k: the control of with_final
  std::map<std::int64_t, ReportCurve> with_initial;  // by k; empty where it was not kept
  ReportCurve held_out_loss;
  ReportCurve change_to_final;           // mean over matrices of ‖W - W_final‖/‖W_final‖
  std::map<std::string, ReportUse> use;  // by kind of matrix
  StageResult result;
};

/// All that a report says, and nothing that it would have to look up.
struct ReportData {
  Config config;
  Description machine;  // machine.json
  std::vector<ReportRun> runs;
  std::vector<CrossFitted> cross_fitted;
  std::vector<ReportSpectrum> spectra;
  std::vector<ReportCoDrift> co_drifts;
  std::vector<ReportCut> cuts;
  std::vector<ReportLandscape> landscapes;
  std::vector<ReportRobustness> robustness;
  std::vector<ReportRun> retentions;
  std::vector<ReportEmergence> emergences;
  std::vector<ReportRun> pretrainings;
  std::size_t stages = 0;            // that a full report needs
  std::vector<std::string> missing;  // labels of those that are not finished
  std::vector<std::string> remarks;  // what could not be read, for the reader
};

/// What the finished stages among `stages` left. A file that is missing or damaged becomes a
/// remark, not an error: the rest of the report stands.
ReportData gather_report(const std::filesystem::path& run_folder, const Plan& plan,
                         const std::vector<StageInput>& inputs);

/// The same for a run's folder as it stands (config.toml, plan.json). Throws Error when it is none.
ReportData gather_report(const std::filesystem::path& run_folder);

/// Tables and figures know methods alone: with several models a method stands there once for each,
/// "full on x4".
Config by_model(Config config);
/// The name of a stage's method there.
std::string method_by_model(const Config& config, const Stage& stage);

/// Reads spectrum.csv and vectors.csv of a spectrum stage's folder. Throws Error.
ReportSpectrum read_report_spectrum(const std::filesystem::path& folder);

/// Reads the sharing.csv or surgery.csv of a stage's folder. Throws Error.
std::vector<ReportCoDrift> read_report_co_drifts(const std::filesystem::path& folder);
std::vector<ReportCut> read_report_cuts(const std::filesystem::path& folder);

/// Reads emergence.csv and functional.csv of an emergence stage's folder. Throws Error.
ReportEmergence read_report_emergence(const std::filesystem::path& folder);

/// Lines of a metrics.jsonl as curves by key. A last line cut short by a kill is left out.
std::map<std::string, ReportCurve> read_metric_curves(const std::filesystem::path& path);

/// "query", "key", "value", "attention output", "ffn in", "ffn out" or "other", with a digit for
/// their order before it.
std::string matrix_kind(const std::string& parameter_name);

/// 3 of "encoder.layer.3.attention.self.query.weight"; -1 of a name without "layer.".
std::int64_t matrix_layer(const std::string& parameter_name);

}  // namespace basis
