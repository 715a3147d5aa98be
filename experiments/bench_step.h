#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/batch.h"
#include "experiments/config.h"

namespace basis {

/// One measured training or evaluation step, repeated over given batches.
struct BenchStepOptions {
  std::filesystem::path model;  // a model folder
  std::vector<HostBatch> batches;
  std::int64_t outputs = 2;
  MethodSettings method;
  TrainSettings train;  // rates, decay, clipping; its schedule runs over all batches
  std::string dtype = "f32";
  std::string head;  // "mean", "pooler"; empty: as the folder says
  std::int64_t threads = 0;
  std::int64_t seed = 0;
  std::int64_t warmup_steps = 3;  // not counted
  bool is_evaluation = false;     // forward alone
  bool recomputes_layers = false;
  bool has_dropout = true;  // as the folder says; false: none
};

struct BenchStepResult {
  double step_s = 0;        // median
  double tokens_per_s = 0;  // median over steps, real tokens
  double peak_mib = 0;      // of the process
  double minflt_per_step = 0;
  double system_s = 0;  // of the counted steps
  std::string isa;
  std::string dtype;  // of activations: f32 where bf16 was asked of a processor that lacks it
  std::vector<double> losses;              // mean of each step, before its update
  std::vector<std::vector<float>> logits;  // a row for each example of `dev`, after the last step
};

/// Runs every batch once. `dev` is scored afterwards where it is not empty.
BenchStepResult bench_step(const BenchStepOptions& options, const std::vector<HostBatch>& dev = {});

/// A JSON-lines file of batches: {"input_ids": [[...], ...], "token_type_ids": [[...], ...],
/// "labels": [...]} a line, no padding; labels are class ids or, with `is_regression`, numbers. At
/// most `limit` lines (0: all). Throws Error with file and line.
std::vector<HostBatch> read_batches(const std::filesystem::path& path, bool is_regression,
                                    std::int64_t limit);

}  // namespace basis
