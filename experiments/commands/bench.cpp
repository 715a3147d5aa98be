#include <algorithm>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "data/batch_plan.h"
#include "data/glue.h"
#include "data/wordpiece.h"
#include "experiments/bench_step.h"
#include "experiments/build_info.h"
#include "experiments/commands/commands.h"
#include "experiments/config_fields.h"
#include "experiments/contains.h"
#include "experiments/model_folder.h"
#include "experiments/nearest.h"
#include "experiments/task_data.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

/// The vocabulary that stands beside glue/, for a model without a folder.
WordPieceTokenizer tokenizer_beside(const std::filesystem::path& glue) {
  const std::filesystem::path path = glue.parent_path() / "vocab" / "bert-base-uncased-vocab.txt";
  std::ifstream file(path);
  if (!file) throw Error(path.string() + ": cannot be read; --size with --glue needs it");
  std::vector<std::string> tokens;
  for (std::string token; std::getline(file, token);) tokens.push_back(token);
  return {std::move(tokens), {}, path.string()};
}

/// Batches of a GLUE task's training (or dev) rows, in the order of seed 0.
std::vector<HostBatch> glue_batches(const BenchOptions& options, const TaskData& data) {
  const WordPieceTokenizer tokenizer =
      options.size.empty() ? load_tokenizer(options.model) : tokenizer_beside(*options.glue);
  const std::vector<Example>& rows = options.is_evaluation ? data.dev : data.train;
  const EncodedDataset set = tokenize_rows(rows, data.task, tokenizer, options.max_length, nullptr);
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

void choose_model(const BenchOptions& options, BenchStepOptions& bench) {
  if (options.model.empty() == options.size.empty()) {
    throw Error("bench step: name a model folder with --model, or sizes with --size");
  }
  bench.model = options.model;
  if (!options.size.empty()) bench.config = bench_size(options.size);
}

/// Rows of --glue, lines of --batches, or random ones.
void choose_batches(const BenchOptions& options, BenchStepOptions& bench) {
  if (options.glue) {
    const TaskData data = read_task(glue_source(options.task, options.glue->parent_path()));
    bench.outputs = data.task.outputs();
    bench.batches = glue_batches(options, data);
    return;
  }
  const Task task = glue_source(options.task, "").task;
  bench.outputs = task.outputs();
  if (options.batches) {
    // With settings the file is the whole training; else its first steps.
    bench.batches =
        read_batches(*options.batches, task.is_regression, options.settings ? 0 : options.steps);
    return;
  }
  const BertConfig config = bench.config ? *bench.config : BertConfig::read(bench.model);
  bench.batches = draw_batches(
      {options.steps, options.batch, std::min(options.max_length, config.max_position_embeddings),
       config.vocab_size, bench.outputs, task.is_regression, options.has_full_length});
}

MethodSettings method_of(const BenchOptions& options) {
  const std::vector<std::string>& known = known_methods();
  if (!contains(known, options.method)) {
    throw Error(fmt::format("no method \"{}\"{}; there are {}", options.method,
                            did_you_mean(options.method, known), fmt::join(known, ", ")));
  }
  MethodSettings method = method_preset(options.method);
  if (options.rank) method.rank = *options.rank;
  return method;
}

Json json_of(const BenchStepResult& result, const BenchOptions& options) {
  constexpr double giga = 1e9;
  const Roofs& roofs = result.roofs;
  std::vector<Json> losses(result.losses.begin(), result.losses.end());
  return Json::object({{"step_s", result.step_s},
                       {"tokens_per_s", result.tokens_per_s},
                       {"window_tokens_per_s", result.window_tokens_per_s},
                       {"floor_s", result.floor_s},
                       {"step_over_floor", result.step_over_floor},
                       {"peak_mib", result.peak_mib},
                       {"arena_mib", result.arena_mib},
                       {"isa", result.isa},
                       {"dtype", result.dtype},
                       {"threads", result.threads},
                       {"processor", result.processor},
                       {"method", options.method},
                       {"head", result.head},
                       {"steps", result.steps},
                       {"tokens", result.tokens},
                       {"graphs", result.graphs},
                       {"minflt_per_step", result.minflt_per_step},
                       {"system_s", result.system_s},
                       {"user_s", result.user_s},
                       {"trained", result.trained},
                       {"parameters", result.parameters},
                       {"gflop", result.work.flops() / giga},
                       {"gbyte", result.work.bytes / giga},
                       {"roof_f32_gflops", roofs.flops_f32 / giga},
                       {"roof_bf16_gflops", roofs.flops_bf16 / giga},
                       {"roof_copy_gbs", roofs.memory_bytes / giga},
                       {"losses", Json::list(std::move(losses))},
                       {"version", build_info::version},
                       {"commit", build_info::commit}});
}

}  // namespace

int bench_step_command(const BenchOptions& options) {
  if (options.warmup >= options.steps) {
    throw Error(fmt::format("bench step: {} steps, of which {} are not counted: give --steps more",
                            options.steps, options.warmup));
  }
  BenchStepOptions bench;
  choose_model(options, bench);
  bench.dtype = options.dtype;
  bench.device = options.device;
  bench.head = options.head;
  bench.threads = options.threads;
  bench.warmup_steps = options.warmup;
  bench.recomputes_layers = options.recomputes_layers;
  bench.has_graphs = options.has_graphs;
  bench.is_evaluation = options.is_evaluation;
  bench.measures_floor = !options.skips_floor;
  bench.method = method_of(options);
  bench.train.learning_rate = 2e-5;
  choose_batches(options, bench);
  if (options.kept_batches) {
    write_batches(*options.kept_batches, bench.batches);
    return 0;
  }
  if (options.settings) apply_settings(*options.settings, bench);
  Cache cache(Cache::default_folder());
  bench.cache = &cache;
  const std::vector<HostBatch> dev = options.dev_batches
                                         ? read_batches(*options.dev_batches, bench.outputs == 1, 0)
                                         : std::vector<HostBatch>{};
  const BenchStepResult result = bench_step(bench, dev);
  if (options.losses) write_losses(*options.losses, result.losses);
  if (options.predictions) write_logits(*options.predictions, result.logits);
  fmt::print("{}\n", json_of(result, options).dump());
  return 0;
}

}  // namespace basis
