#include "experiments/recorder.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/build_info.h"
#include "experiments/contains.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"

namespace basis {
namespace {

std::string cell(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "";
}

/// Names of all metrics, in order of their first appearance.
std::vector<std::string> metric_names(const std::vector<std::pair<Stage, StageResult>>& rows) {
  std::vector<std::string> names;
  for (const auto& [stage, result] : rows) {
    for (const auto& [name, value] : result.metrics) {
      if (!contains(names, name)) names.push_back(name);
    }
  }
  return names;
}

std::string metric_cell(const StageResult& result, const std::string& name) {
  for (const auto& [known, value] : result.metrics) {
    if (known == name) return cell(value);
  }
  return "";
}

}  // namespace

Description describe_build() {
  Description description = {{"version", build_info::version},
                             {"compiler", build_info::compiler},
                             {"build", build_info::build_type}};
  if (build_info::commit[0] != '\0') description.emplace_back("commit", build_info::commit);
  return description;
}

void record_run(const StageStore& store, const Plan& plan, const Description& machine) {
  const std::filesystem::path& folder = store.run_folder();
  make_folder(folder);
  write_file_atomically(folder / "config.toml", to_toml(plan.config));
  Json json = Json::object();
  for (const auto& [name, value] : describe_build()) json.set(name, value);
  for (const auto& [name, value] : machine) json.set(name, value);
  json.write(folder / "machine.json", 1);
  write_plan(folder / "plan.json", plan);
}

// No cell needs quotes: names of tasks, methods and metrics hold neither commas nor quotes.
std::string results_csv(const StageStore& store, const Plan& plan) {
  std::vector<std::pair<Stage, StageResult>> rows;
  for (const Stage& stage : plan.stages) {
    if (stage.kind == StageKind::Report) continue;
    try {
      if (auto result = store.result_of(stage)) rows.emplace_back(stage, std::move(*result));
    } catch (const Error&) {
      // A damaged result is no row; the runner reports it when it comes to that stage.
    }
  }
  const std::vector<std::string> names = metric_names(rows);
  std::string csv = "stage,model,pretrain_seed,task,method,seed";
  for (const std::string& name : names) csv += fmt::format(",{}", name);
  csv += ",trainable,trainable_share,adapted_share,head_parameters,tokens_per_s,peak_mib,seconds\n";
  for (const auto& [stage, result] : rows) {
    csv += fmt::format("{},{},{},{},{},{}", stage.folder, stage.model, stage.pretrain_seed,
                       stage.task, stage.method, stage.seed);
    for (const std::string& name : names) csv += fmt::format(",{}", metric_cell(result, name));
    csv += fmt::format(",{},{},{},{},{},{},{}\n", result.trainable, cell(result.trainable_share),
                       cell(result.adapted_share), result.head_parameters,
                       cell(result.tokens_per_s), cell(result.peak_mib), cell(result.seconds));
  }
  return csv;
}

void record_results(const StageStore& store, const Plan& plan) {
  write_file_atomically(store.run_folder() / "results.csv", results_csv(store, plan));
}

}  // namespace basis
