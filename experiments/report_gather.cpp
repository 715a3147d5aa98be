#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "experiments/contains.h"
#include "experiments/report_data.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

Description read_machine(const std::filesystem::path& path) {
  Description machine;
  const JsonKeys keys = JsonKeys::read(path);
  for (const auto& [name, value] : keys.members()) {
    machine.emplace_back(name, value.is_text() ? value.text() : value.dump());
  }
  return machine;
}

/// Does `read`; what fails becomes a remark.
template <class Function>
void try_to(ReportData& data, Function read) {
  try {
    read();
  } catch (const Error& error) {
    data.remarks.emplace_back(error.what());
  }
}

/// A path within the run: a report names no machine's folders.
std::string shortened(std::string text, const std::filesystem::path& run_folder) {
  const std::string prefix = run_folder.string() + "/";
  for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos;) {
    text.erase(at, prefix.size());
  }
  return text;
}

bool wants_predictions(const Config& config) {
  return std::any_of(config.claim.begin(), config.claim.end(),
                     [](const auto& named) { return named.second.endpoint.starts_with("score-"); });
}

std::string method_on(const std::string& method, const std::string& model) {
  return fmt::format("{} on {}", method, model);
}

void add_stage(ReportData& data, const StageInput& input) {
  Stage stage = *input.stage;
  stage.method = method_by_model(data.config, stage);
  const auto tell_origin = [&](auto& row) {
    row.model = stage.model;
    row.base_method = input.stage->method;
    row.pretrain_seed = stage.pretrain_seed;
  };
  const auto name_run = [&](auto& row) {
    row.task = stage.task;
    row.method = stage.method;
    row.seed = stage.seed;
  };
  if (stage.kind == StageKind::Spectrum) {
    try_to(data, [&] {
      ReportSpectrum spectrum = read_report_spectrum(input.folder);
      name_run(spectrum);
      tell_origin(spectrum);
      data.spectra.push_back(std::move(spectrum));
    });
    return;
  }
  if (stage.kind == StageKind::Sharing) {
    try_to(data, [&] {
      for (ReportCoDrift& row : read_report_co_drifts(input.folder)) {
        row.model = stage.model;
        row.pretrain_seed = stage.pretrain_seed;
        data.co_drifts.push_back(std::move(row));
      }
    });
    return;
  }
  if (stage.kind == StageKind::Emergence) {
    try_to(data, [&] {
      ReportEmergence emergence = read_report_emergence(input.folder);
      emergence.model = stage.model;
      emergence.seed = stage.pretrain_seed;
      emergence.result = input.result;
      data.emergences.push_back(std::move(emergence));
    });
    return;
  }
  if (stage.kind == StageKind::Surgery) {
    try_to(data, [&] {
      for (ReportCut& cut : read_report_cuts(input.folder)) {
        name_run(cut);
        data.cuts.push_back(std::move(cut));
      }
    });
    return;
  }
  if (stage.kind == StageKind::Landscape) {
    try_to(data, [&] {
      ReportLandscape landscape = read_report_landscape(input.folder);
      name_run(landscape);
      tell_origin(landscape);
      if (landscape.is_of_pretraining()) {
        landscape.task = "pretraining";
        landscape.method = stage.model.empty() ? "pretrained" : stage.model;
      }
      data.landscapes.push_back(std::move(landscape));
    });
    return;
  }
  if (stage.kind == StageKind::Robustness) {
    try_to(data, [&] {
      ReportRobustness robustness;
      robustness.answers = read_attacked_answers(input.folder);
      name_run(robustness);
      robustness.pretrain_seed = stage.pretrain_seed;
      data.robustness.push_back(std::move(robustness));
    });
  }
  if (stage.kind == StageKind::Retention) {
    ReportRun run;
    name_run(run);
    tell_origin(run);
    run.result = input.result;
    data.retentions.push_back(std::move(run));
    return;
  }
  // What chose a learning rate is not reported on.
  const bool is_run = stage.kind == StageKind::Pretrain || stage.kind == StageKind::Finetune;
  if (!is_run) return;
  ReportRun run;
  name_run(run);
  run.result = input.result;
  tell_origin(run);
  const bool has_rows =
      stage.kind == StageKind::Finetune && !data.config.task.at(stage.task).is_text();
  if (has_rows && wants_predictions(data.config)) {
    try_to(data, [&] { run.predictions = read_predictions(input.folder); });
  }
  try_to(data, [&] { run.curves = read_metric_curves(input.folder / "metrics.jsonl"); });
  auto& runs = stage.kind == StageKind::Pretrain ? data.pretrainings : data.runs;
  runs.push_back(std::move(run));
}

}  // namespace

Config by_model(Config config) {
  if (config.models.size() < 2) return config;
  for (auto& [name, claim] : config.claim) {
    if (claim.models.size() != 1) continue;
    for (std::string* method : {&claim.method, &claim.control, &claim.ceiling, &claim.floor}) {
      if (!method->empty()) *method = method_on(*method, claim.models.front());
    }
  }
  const std::vector<std::string> methods = std::move(config.methods);
  config.methods.clear();
  for (const std::string& name : methods) {
    const MethodSettings& method = config.method.at(name);
    for (const std::string& model : config.models) {
      const bool is_on_it = names_or_all(method.models, model);
      if (!is_on_it) continue;
      config.methods.push_back(method_on(name, model));
      MethodSettings& copy = config.method[config.methods.back()] = method;
      if (!method.family.empty()) copy.family = method_on(method.family, model);
    }
  }
  return config;
}

std::string method_by_model(const Config& config, const Stage& stage) {
  return config.models.size() < 2 ? stage.method : method_on(stage.method, stage.model);
}

const ReportCurve* ReportRun::curve(const std::string& name) const {
  const auto found = curves.find(name);
  return found == curves.end() ? nullptr : &found->second;
}

std::map<std::string, ReportCurve> read_metric_curves(const std::filesystem::path& path) {
  const std::string content = read_file(path);
  std::map<std::string, ReportCurve> curves;
  std::size_t begin = 0;
  std::int64_t line = 0;
  for (std::size_t end = 0; (end = content.find('\n', begin)) != std::string::npos;) {
    const std::string_view text(content.data() + begin, end - begin);
    begin = end + 1;
    ++line;
    const Json json = Json::parse(text, path.string());
    const Json* step = json.find("step");
    if (step == nullptr || !step->is_number()) {
      throw Error(fmt::format("{}:{}: a line without its step", path.string(), line));
    }
    for (const auto& [name, value] : json.members()) {
      if (name == "step" || !value.is_number()) continue;
      curves[name].x.push_back(step->number());
      curves[name].y.push_back(value.number());
    }
  }
  return curves;
}

ReportData gather_report(const std::filesystem::path& run_folder, const Plan& plan,
                         const std::vector<StageInput>& inputs) {
  ReportData data;
  data.config = by_model(plan.config);
  try_to(data, [&] { data.machine = read_machine(run_folder / "machine.json"); });
  for (const StageInput& input : inputs) add_stage(data, input);
  try_to(data, [&] { data.cross_fitted = cross_fitted(data.config, data.runs); });
  for (const Stage& stage : plan.stages) {
    if (stage.kind == StageKind::Report) continue;
    ++data.stages;
    const auto is_it = [&](const StageInput& input) {
      return input.stage->identity == stage.identity && input.stage->folder == stage.folder;
    };
    if (std::none_of(inputs.begin(), inputs.end(), is_it)) data.missing.push_back(stage.label);
  }
  for (std::string& remark : data.remarks) remark = shortened(std::move(remark), run_folder);
  return data;
}

ReportData gather_report(const std::filesystem::path& run_folder) {
  Plan plan = read_plan(run_folder);
  plan.config = load_config(run_folder / "config.toml");
  const StageStore store(run_folder);
  std::vector<StageInput> inputs;
  std::vector<std::string> damaged;
  for (const Stage& stage : plan.stages) {
    try {
      if (auto result = store.result_of(stage)) {
        inputs.push_back({&stage, store.folder_of(stage), std::move(*result)});
      }
    } catch (const Error& error) {
      damaged.push_back(shortened(error.what(), run_folder));
    }
  }
  ReportData data = gather_report(run_folder, plan, inputs);
  data.remarks.insert(data.remarks.end(), damaged.begin(), damaged.end());
  return data;
}

}  // namespace basis
