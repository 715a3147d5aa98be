#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "experiments/cache.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/run_jobs.h"
#include "experiments/compute.h"
#include "experiments/data_root.h"
#include "experiments/interrupt.h"
#include "experiments/plan_inputs.h"
#include "experiments/progress.h"
#include "experiments/recorder.h"
#include "experiments/stage_functions.h"
#include "experiments/table.h"
#include "experiments/work.h"
#include "tensor/error.h"

namespace basis {
namespace {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// A word of a command as a shell takes it.
std::string quoted(const std::string& word) {
  const bool is_plain = !word.empty() && word.find_first_not_of(
                                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789-_./=+:,@%") == std::string::npos;
  if (is_plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// The command that goes on where this one stopped.
std::string command_of(const RunOptions& options, const std::filesystem::path& out) {
  std::string text = "basis";
  for (const std::string& word : words_of(options, out)) text += " " + quoted(word);
  return text;
}

void print_list(const Plan& plan, const std::vector<std::size_t>& selected,
                const StageStore& store) {
  for (const std::size_t place : selected) {
    const Stage& stage = plan.stages[place];
    print(fmt::format("{:<12} {}\n", name_of(store.state_of(stage)), stage.label));
  }
}

void print_plan(const Plan& plan, const std::vector<std::size_t>& selected, const StageStore& store,
                const DataRoot& data) {
  const Config& config = plan.config;
  const WorkEstimate work(plan, data);
  int finished = 0;
  for (const std::size_t place : selected) {
    finished += store.state_of(plan.stages[place]) == StageState::Finished ? 1 : 0;
  }
  print(fmt::format("{}: tasks {} x methods {} x seeds {}; {} stages, {} of them finished\n",
                    config.name, config.tasks.size(), config.methods.size(), config.seeds.size(),
                    selected.size(), finished));
  if (!config.question.empty()) print(fmt::format("{}\n", config.question));
  for (const std::string& model : config.model_names()) {
    print(fmt::format("model{}: {} parameters in the encoder with embeddings\n",
                      model.empty() ? "" : " " + model,
                      format_count(static_cast<double>(work.parameters(model)))));
  }
  print(fmt::format("run folder: {}\n\n", store.run_folder().string()));
  double left = 0;
  for (const std::size_t place : selected) {
    const Stage& stage = plan.stages[place];
    const StageState state = store.state_of(stage);
    const double flop = work.flop(stage);
    if (state != StageState::Finished) left += flop;
    std::string line = fmt::format("{:<12} {}", name_of(state), stage.label);
    if (flop > 0) line = fmt::format("{:<65} {:.3g} TFLOP", line, flop * 1e-12);
    print(fmt::format("{}\n", line));
  }
  print(fmt::format("\nabout {:.3g} TFLOP of training left\n", left * 1e-12));
}

/// Nothing may start when a part of it has no function.
void check_functions(const Plan& plan, const std::vector<std::size_t>& selected,
                     const StageFunctions& functions) {
  for (const std::size_t place : selected) {
    const StageKind kind = plan.stages[place].kind;
    if (functions.find(kind) != functions.end()) continue;
    throw Error(fmt::format("this build cannot run {} stages yet; --dry-run and --list work",
                            name_of(kind)));
  }
}

void print_end(const RunSummary& summary, const RunOptions& options, const StageStore& store,
               const Plan& plan) {
  const std::filesystem::path& out = store.run_folder();
  if (summary.count(StageOutcome::Interrupted) > 0) {
    print(fmt::format("stopped; go on with\n  {}\n", command_of(options, out)));
    return;
  }
  const int missing = summary.count(StageOutcome::Failed) + summary.count(StageOutcome::Skipped) +
                      summary.count(StageOutcome::Busy);
  if (missing > 0) {
    print(fmt::format("{} stages failed, {} left out; the same command tries them again\n",
                      summary.count(StageOutcome::Failed),
                      missing - summary.count(StageOutcome::Failed)));
  }
  if (!plan.config.tasks.empty()) print(results_table(store, plan));
  print(fmt::format("results: {}\n", (out / "results.csv").string()));
  std::error_code error;
  if (std::filesystem::exists(out / "report.html", error)) {
    print(fmt::format("report:  {}\n", (out / "report.html").string()));
  }
  print(fmt::format("folder:  {} ({})\n", out.string(), format_bytes(folder_bytes(out))));
}

}  // namespace

int run_command(const RunOptions& options) {
  const Config config = load_config(options.config, options.overrides,
                                    options.is_reduced ? ConfigForm::Reduced : ConfigForm::Full);
  check_jobs(config, options.jobs);
  const DataRoot data = DataRoot::find(options.data);
  const Plan plan = make_plan(config, inputs_under(config, data));
  const std::vector<std::size_t> selected = select_stages(plan, options.only);
  const StageStore store(options.out.value_or(std::filesystem::path("runs") / config.name));
  if (options.lists) {
    print_list(plan, selected, store);
    return 0;
  }
  if (options.is_dry) {
    print_plan(plan, selected, store, data);
    return 0;
  }

  Cache cache(Cache::default_folder());
  RunServices services;
  services.data = &data;
  services.cache = &cache;
  services.keep = keep_named(options.keep);
  if (!options.stage.empty()) return run_stage_for_parent(plan, store, services, options.stage);

  for (const std::filesystem::path& other : options.reuse) {
    const int linked = store.reuse(StageStore(other), plan);
    print(fmt::format("{}: {} finished stages are reused\n", other.string(), linked));
  }
  const StageFunctions functions = stage_functions();
  check_functions(plan, selected, functions);
  const std::int64_t threads = threads_of_job(config, options.jobs);
  record_run(store, plan, make_backend(config.device, threads, config.tf32)->description());
  const bool is_parallel = options.jobs > 1;
  ProgressPrinter printer(print, isatty(STDOUT_FILENO) != 0);
  const InterruptHandler interrupt;
  services.observer = &printer;
  services.stop_flag = &interrupt.flag();
  const RunSummary summary = is_parallel ? run_jobs(plan, selected, store, services, options)
                                         : run_stages(plan, selected, store, functions, services);
  print_end(summary, options, store, plan);
  return summary.exit_status();
}

}  // namespace basis
