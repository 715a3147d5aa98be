#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/commands/commands.h"
#include "experiments/runner.h"

namespace basis {

/// The words after `basis` of the command that does the same in this run's folder.
std::vector<std::string> words_of(const RunOptions& options, const std::filesystem::path& out);

/// Threads of each of so many stages at a time: the config's, else its share of the processors.
std::int64_t threads_of_job(const Config& config, std::int64_t jobs);

/// Throws Error where the device takes one stage at a time.
void check_jobs(const Config& config, std::int64_t jobs);

/// run_stages(), several at a time: each in a process that runs this program with --stage.
RunSummary run_jobs(const Plan& plan, const std::vector<std::size_t>& selected,
                    const StageStore& store, const RunServices& services,
                    const RunOptions& options);

/// In such a process: runs the stage and writes its news (stage_news.h) to standard output.
/// Returns the exit status.
int run_stage_for_parent(const Plan& plan, const StageStore& store, RunServices services,
                         const std::string& folder);

}  // namespace basis
