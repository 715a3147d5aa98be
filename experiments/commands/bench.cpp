#include <cstdio>

#include <fmt/format.h>

#include "data/batch_plan.h"
#include "data/glue.h"
#include "data/wordpiece.h"
#include "experiments/bench_step.h"
#include "experiments/commands/commands.h"
#include "experiments/config_fields.h"
#include "experiments/model_folder.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"

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
  const JsonKeys keys = JsonKeys::read(path);
  bench.train.learning_rate = keys.number("learning_rate");
  bench.train.weight_decay = keys.number("weight_decay");
  bench.train.clip_norm = keys.number("clip_norm");
  bench.train.epsilon = keys.number("epsilon");
  const std::vector<double> betas = keys.numbers("betas");
  if (betas.size() != 2) keys.fail("betas", fmt::format("has {} numbers, not 2", betas.size()));
  bench.train.beta1 = betas[0];
  bench.train.beta2 = betas[1];
  bench.train.schedule = keys.text("schedule");
  bench.train.warmup_share = keys.number("warmup_share");
  bench.seed = keys.integer("seed");
  bench.outputs = keys.integer("outputs");
  bench.method = method_preset(keys.text("method"));
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
  bench.recomputes_layers = options.recomputes_layers;
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
  const Json json = Json::object({{"step_s", result.step_s},
                                  {"tokens_per_s", result.tokens_per_s},
                                  {"peak_mib", result.peak_mib},
                                  {"isa", result.isa},
                                  {"dtype", result.dtype},
                                  {"minflt_per_step", result.minflt_per_step},
                                  {"system_s", result.system_s},
                                  {"steps", result.losses.size()}});
  fmt::print("{}\n", json.dump());
  return 0;
}

}  // namespace basis
