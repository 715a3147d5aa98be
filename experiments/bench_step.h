#pragma once

#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "experiments/bench_roofs.h"
#include "experiments/cache.h"
#include "experiments/config.h"
#include "nn/bert_config.h"

namespace basis {

/// One measured training or evaluation step, repeated over given batches.
struct BenchStepOptions {
  std::filesystem::path model;       // a model folder
  std::optional<BertConfig> config;  // random weights of these sizes in its place
  std::vector<HostBatch> batches;
  std::int64_t outputs = 2;
  MethodSettings method;
  TrainSettings train;  // rates, decay, clipping; its schedule runs over all batches
  std::string dtype = "f32";
  std::string head;  // "mean", "pooler"; empty: as the folder says
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::int64_t seed = 0;
  std::int64_t warmup_steps = 3;  // not counted
  bool is_evaluation = false;     // forward alone
  bool recomputes_layers = false;
  bool has_graphs = true;      // passes are recorded where the device can (CUDA graphs)
  bool has_dropout = true;     // as the folder says; false: none
  bool measures_floor = true;  // takes about two seconds after the steps
  Cache* cache = nullptr;      // of bases
};

struct BenchStepResult {
  std::int64_t steps = 0;          // counted ones, over which medians are taken
  double step_s = 0;               // median
  double tokens = 0;               // real ones of a step, median
  double tokens_per_s = 0;         // median over steps
  double window_tokens_per_s = 0;  // of all counted steps by their time together
  /// What a step needs at least, and the step by its own floor; NaN where it was not measured.
  double floor_s = std::numeric_limits<double>::quiet_NaN();
  double step_over_floor = std::numeric_limits<double>::quiet_NaN();
  WorkCount work;  // of a step, medians
  Roofs roofs;
  double peak_mib = 0;   // of the process, or of the device's memory, before roofs are measured
  double arena_mib = 0;  // of a step's activations, at most
  std::string graphs;    // how many passes were replayed; empty where none may be recorded
  double minflt_per_step = 0;
  double system_s = 0;  // of the counted steps
  double user_s = 0;
  std::string isa;
  std::string processor;
  std::int64_t threads = 0;
  std::string dtype;  // of activations: f32 where bf16 was asked of a processor that lacks it
  std::string head;
  std::int64_t trained = 0;  // parameters, the head's included
  std::int64_t parameters = 0;
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

/// The file that read_batches gives these back from. Throws Error where it cannot be written.
void write_batches(const std::filesystem::path& path, const std::vector<HostBatch>& batches);

/// Random ids and classes for so many steps: sequences of 25 to 81 tokens as MRPC's pairs have, no
/// longer than `max_length`.
struct DrawnBatches {
  std::int64_t steps = 1;
  std::int64_t examples = 32;  // of a step
  std::int64_t max_length = 128;
  std::int64_t vocabulary = 30522;
  std::int64_t outputs = 2;
  bool is_regression = false;
  bool has_full_length = false;  // every sequence has max_length tokens
};
std::vector<HostBatch> draw_batches(const DrawnBatches& options);

/// A named size: "tiny", "mini", "small", "medium" (arXiv 1908.08962), "minilm", "base" or "large".
/// Throws Error with the names there are.
BertConfig bench_size(const std::string& name);
/// A line a size: its name, layers, width and heads.
std::string bench_sizes_text();

}  // namespace basis
