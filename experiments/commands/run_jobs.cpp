#include "experiments/commands/run_jobs.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "experiments/interrupt.h"
#include "experiments/stage_functions.h"
#include "experiments/stage_news.h"
#include "experiments/stage_processes.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"

namespace basis {

std::vector<std::string> words_of(const RunOptions& options, const std::filesystem::path& out) {
  std::vector<std::string> words = {"run", options.config.string(), "--out", out.string()};
  const auto add = [&](const char* name, const std::string& value) {
    words.insert(words.end(), {name, value});
  };
  for (const std::string& one : options.overrides) add("--set", one);
  if (options.data) add("--data", options.data->string());
  for (const std::filesystem::path& other : options.reuse) add("--reuse", other.string());
  if (options.is_reduced) words.emplace_back("--reduced");
  if (!options.only.empty()) add("--only", options.only);
  if (options.jobs != 1) add("--jobs", std::to_string(options.jobs));
  if (options.keep != "all") add("--keep", options.keep);
  return words;
}

std::int64_t threads_of_job(const Config& config, std::int64_t jobs) {
  if (config.threads > 0 || jobs == 1) return config.threads;
  return std::max<std::int64_t>(1, chosen_threads() / jobs);
}

void check_jobs(const Config& config, std::int64_t jobs) {
  if (jobs == 1 || config.device == "cpu") return;
  throw Error(
      fmt::format("--jobs {}: device = \"{}\" runs one stage at a time, because each process would "
                  "hold a context and memory of its own on the one GPU: leave out --jobs",
                  jobs, config.device));
}

RunSummary run_jobs(const Plan& plan, const std::vector<std::size_t>& selected,
                    const StageStore& store, const RunServices& services,
                    const RunOptions& options) {
  const std::int64_t threads = threads_of_job(plan.config, options.jobs);
  RunOptions of_child = options;
  of_child.jobs = 1;
  of_child.keep = "all";   // this process removes files: it knows who needs them
  of_child.reuse.clear();  // and has linked them
  of_child.overrides.push_back(fmt::format("threads={}", threads));
  const std::vector<std::string> words = words_of(of_child, store.run_folder());
  StageProcesses processes(plan, store, [&](std::size_t stage) {
    StageProcesses::Command command{"/proc/self/exe", {"basis"}};
    command.words.insert(command.words.end(), words.begin(), words.end());
    command.words.insert(command.words.end(), {"--stage", plan.stages[stage].folder});
    command.environment = {fmt::format("OMP_NUM_THREADS={}", threads)};
    return command;
  });
  return run_stages_in_parallel(plan, selected, store, processes, services, options.jobs);
}

int run_stage_for_parent(const Plan& plan, const StageStore& store, RunServices services,
                         const std::string& folder) {
  const auto stage = std::find_if(plan.stages.begin(), plan.stages.end(),
                                  [&](const Stage& one) { return one.folder == folder; });
  if (stage == plan.stages.end()) {
    throw Error(
        fmt::format("no stage {}: the files that the run reads have changed since it began; "
                    "start it again",
                    folder));
  }
  const InterruptHandler interrupt(InterruptHandler::Role::ForAnother);
  NewsWriter news([](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  });
  services.observer = &news;
  services.stop_flag = &interrupt.flag();
  news.write_end(run_stage(plan, *stage, store, stage_functions(), services));
  return 0;
}

}  // namespace basis
