#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/batch_plan.h"
#include "data/glue.h"
#include "data/wordpiece.h"
#include "experiments/bench_step.h"
#include "experiments/commands/commands.h"
#include "experiments/config_fields.h"
#include "experiments/model_folder.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {
namespace {

/// Batches of a GLUE task's training (or dev) rows, in the order of seed 0.
std::vector<HostBatch> glue_batches(const BenchOptions& options, const TaskData& data) {
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  const std::vector<Example>& rows = options.is_evaluation ? data.dev : data.train;
  const EncodedDataset set = encode(rows, data.task.is_regression, [&](const Example& row) {
    return data.task.is_pair ? tokenizer.encode_pair(row.first, row.second, options.max_length)
                             : tokenizer.encode(row.first, options.max_length);
  });
  const BatchOptions cut{options.batch, 0, 0, !options.is_evaluation, options.is_grouped};
  std::vector<HostBatch> batches;
  for (std::uint64_t epoch = 0; std::ssize(batches) < options.steps; ++epoch) {
    const BatchPlan plan(set, cut, 0, epoch);
    for (std::int64_t i = 0; i < plan.size() && std::ssize(batches) < options.steps; ++i) {
      batches.push_back(gather_batch(set, plan.examples(i), 0));
    }
  }
  return batches;
}

/// settings.json of benchmarks/peers/agreement.py: the same training on both sides.
void apply_settings(const std::filesystem::path& path, BenchStepOptions& bench) {
  const nlohmann::json json = parse_json(read_file(path), path.string());
  try {
    bench.train.learning_rate = json.at("learning_rate").get<double>();
    bench.train.weight_decay = json.at("weight_decay").get<double>();
    bench.train.clip_norm = json.at("clip_norm").get<double>();
    bench.train.epsilon = json.at("epsilon").get<double>();
    bench.train.beta1 = json.at("betas").at(0).get<double>();
    bench.train.beta2 = json.at("betas").at(1).get<double>();
    bench.train.schedule = json.at("schedule").get<std::string>();
    bench.train.warmup_share = json.at("warmup_share").get<double>();
    bench.seed = json.at("seed").get<std::int64_t>();
    bench.outputs = json.at("outputs").get<std::int64_t>();
    bench.method = method_preset(json.at("method").get<std::string>());
  } catch (const nlohmann::json::exception& error) {
    throw Error(path.string() + ": " + error.what());
  }
}

void write_losses(const std::filesystem::path& path, const std::vector<double>& losses) {
  std::string text;
  for (std::size_t step = 0; step < losses.size(); ++step) {
    text += fmt::format("{{\"step\": {}, \"loss\": {}}}\n", step, losses[step]);
  }
  write_file_atomically(path, text);
}

void write_logits(const std::filesystem::path& path,
                  const std::vector<std::vector<float>>& logits) {
  std::string text;
  for (const std::vector<float>& row : logits) {
    text += fmt::format("{{\"logits\": [{:.9g}]}}\n", fmt::join(row, ", "));
  }
  write_file_atomically(path, text);
}

}  // namespace

int bench_step_command(const BenchOptions& options) {
  BenchStepOptions bench;
  bench.model = options.model;
  bench.dtype = options.dtype;
  bench.head = options.head;
  bench.threads = options.threads;
  bench.is_evaluation = options.is_evaluation;
  bench.method = method_preset(options.method);
  bench.train.learning_rate = 2e-5;
  if (options.settings) apply_settings(*options.settings, bench);

  bool is_regression = false;
  if (options.glue || !options.batches) {
    if (!options.glue) {
      throw Error("bench step: name batches with --batches FILE, or a task with --task and --glue");
    }
    const TaskData data = read_task(glue_source(options.task, options.glue->parent_path()));
    bench.outputs = data.task.outputs();
    bench.batches = glue_batches(options, data);
  } else {
    const TaskSource source = glue_source(options.task, "");
    is_regression = source.task.is_regression;
    bench.outputs = source.task.outputs();
    // With settings the file is the whole training; else its first steps.
    bench.batches =
        read_batches(*options.batches, is_regression, options.settings ? 0 : options.steps);
  }
  const std::vector<HostBatch> dev = options.dev_batches
                                         ? read_batches(*options.dev_batches, is_regression, 0)
                                         : std::vector<HostBatch>{};
  const BenchStepResult result = bench_step(bench, dev);
  if (options.losses) write_losses(*options.losses, result.losses);
  if (options.predictions) write_logits(*options.predictions, result.logits);
  fmt::print("{}\n", nlohmann::ordered_json{{"step_s", result.step_s},
                                            {"tokens_per_s", result.tokens_per_s},
                                            {"peak_mib", result.peak_mib},
                                            {"isa", result.isa},
                                            {"minflt_per_step", result.minflt_per_step},
                                            {"system_s", result.system_s},
                                            {"steps", result.losses.size()}}
                         .dump());
  return 0;
}

}  // namespace basis
