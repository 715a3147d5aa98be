#include "experiments/stage.h"

#include <algorithm>

#include <fmt/format.h>
#include <fnmatch.h>

#include "tensor/error.h"
#include "tensor/json_keys.h"

namespace basis {

const char* name_of(StageKind kind) {
  switch (kind) {
    case StageKind::Pretrain:
      return "pretrain";
    case StageKind::Finetune:
      return "finetune";
    case StageKind::Grid:
      return "grid";
    case StageKind::Choice:
      return "choice";
    case StageKind::Spectrum:
      return "spectrum";
    case StageKind::Sharing:
      return "sharing";
    case StageKind::Emergence:
      return "emergence";
    case StageKind::Surgery:
      return "surgery";
    case StageKind::Landscape:
      return "landscape";
    case StageKind::Retention:
      return "retention";
    case StageKind::Robustness:
      return "robustness";
    case StageKind::Report:
      return "report";
  }
  return "?";
}

std::vector<std::size_t> select_stages(const Plan& plan, const std::string& pattern) {
  std::vector<bool> is_selected(plan.stages.size(), false);
  const std::string glob = "*" + pattern + "*";
  bool is_any = false;
  for (std::size_t i = plan.stages.size(); i-- > 0;) {
    const Stage& stage = plan.stages[i];
    if (fnmatch(glob.c_str(), stage.label.c_str(), 0) == 0) is_selected[i] = is_any = true;
    if (!is_selected[i]) continue;
    for (const std::size_t input : stage.inputs) is_selected[input] = true;
  }
  if (!is_any) {
    throw Error(
        fmt::format("--only {}: no stage has such a label; the labels are like \"{}\" "
                    "(--list shows all)",
                    pattern, plan.stages.empty() ? "" : plan.stages.front().label));
  }
  std::vector<std::size_t> selected;
  for (std::size_t i = 0; i < is_selected.size(); ++i) {
    if (is_selected[i]) selected.push_back(i);
  }
  return selected;
}

void write_plan(const std::filesystem::path& path, const Plan& plan) {
  Json stages = Json::list();
  for (const Stage& stage : plan.stages) {
    Json inputs = Json::list();
    for (const std::size_t input : stage.inputs) inputs.append(input);
    stages.append(Json::object({{"kind", name_of(stage.kind)},
                                {"label", stage.label},
                                {"folder", stage.folder},
                                {"identity", stage.identity},
                                {"inputs", std::move(inputs)},
                                {"model", stage.model},
                                {"pretrain_seed", stage.pretrain_seed},
                                {"task", stage.task},
                                {"method", stage.method},
                                {"seed", stage.seed},
                                {"learning_rate", stage.learning_rate}}));
  }
  Json::object({{"name", plan.config.name}, {"stages", std::move(stages)}}).write(path, 1);
}

namespace {

StageKind read_kind(const JsonKeys& keys) {
  const std::string kind = keys.text("kind");
  for (const StageKind known :
       {StageKind::Pretrain, StageKind::Finetune, StageKind::Grid, StageKind::Choice,
        StageKind::Spectrum, StageKind::Sharing, StageKind::Emergence, StageKind::Surgery,
        StageKind::Landscape, StageKind::Retention, StageKind::Robustness, StageKind::Report}) {
    if (kind == name_of(known)) return known;
  }
  keys.refuse("kind", keys.require("kind"), "a kind of stage");
}

/// `place`: of the stage in its plan; it may need the ones before.
Stage read_stage(const JsonKeys& keys, std::size_t place) {
  Stage stage;
  stage.kind = read_kind(keys);
  stage.label = keys.text("label");
  stage.folder = keys.text("folder");
  stage.identity = keys.text("identity");
  for (const std::int64_t input : keys.integers("inputs", 0)) {
    if (static_cast<std::size_t>(input) >= place)
      keys.fail("inputs", "names a stage that is not before it");
    stage.inputs.push_back(static_cast<std::size_t>(input));
  }
  stage.model = keys.text("model");
  stage.pretrain_seed = keys.integer("pretrain_seed");
  stage.task = keys.text("task");
  stage.method = keys.text("method");
  stage.seed = keys.integer("seed");
  stage.learning_rate = keys.number("learning_rate");
  return stage;
}

}  // namespace

Plan read_plan(const std::filesystem::path& run_folder) {
  const std::filesystem::path path = run_folder / "plan.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw Error(
        fmt::format("{}: not the folder of a run: it holds no plan.json", run_folder.string()));
  }
  try {
    const JsonKeys keys = JsonKeys::read(path);
    Plan plan;
    plan.config.name = keys.text("name");
    for (const JsonKeys& stage : keys.objects("stages")) {
      plan.stages.push_back(read_stage(stage, plan.stages.size()));
    }
    return plan;
  } catch (const Error& reason) {
    throw Error(fmt::format("{} (expected a plan of `basis run`)", reason.what()));
  }
}

}  // namespace basis
