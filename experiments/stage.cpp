#include "experiments/stage.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fnmatch.h>

#include "experiments/config_fields.h"
#include "tensor/error.h"
#include "tensor/hash.h"
#include "tensor/json_keys.h"

namespace basis {
namespace {

bool is_synthetic(const std::string& task) {
  return task.starts_with("synthetic-");
}

void add_value(Hasher& hasher, const ConfigValue& value) {
  struct {
    Hasher& hasher;
    void operator()(bool v) const { hasher.add(v); }
    void operator()(std::int64_t v) const { hasher.add(v); }
    void operator()(double v) const { hasher.add(v); }
    void operator()(const std::string& v) const { hasher.add(v); }
    void operator()(const std::vector<std::int64_t>& v) const {
      hasher.add(v.size());
      for (const std::int64_t one : v) hasher.add(one);
    }
    void operator()(const std::vector<std::string>& v) const {
      hasher.add(v.size());
      for (const std::string& one : v) hasher.add(one);
    }
  } visitor{hasher};
  std::visit(visitor, value);
}

/// Keys with their values, without those that leave results alone and those that `keeps` refuses.
template <class Settings, class Predicate>
void add_settings(Hasher& hasher, const Settings& settings, Predicate keeps) {
  for (const Field<Settings>& field : fields<Settings>()) {
    if (field.counts == Counts::No || !keeps(field.key)) continue;
    hasher.add(field.key);
    add_value(hasher, field.get(settings));
  }
}

template <class Settings>
void add_settings(Hasher& hasher, const Settings& settings) {
  add_settings(hasher, settings, [](const std::string&) { return true; });
}

/// Settings that mean the same become the same: what another key overrules goes back to its
/// default.
TrainSettings normalised(TrainSettings train) {
  const TrainSettings defaults;
  if (train.steps > 0) train.epochs = defaults.epochs;
  if (train.tokens_per_batch > 0) train.batch_size = defaults.batch_size;
  if (train.head_learning_rate == train.learning_rate) train.head_learning_rate = 0;
  if (train.optimizer == "adamw") {
    train.momentum = defaults.momentum;
  } else {
    train.beta1 = defaults.beta1;
    train.beta2 = defaults.beta2;
    train.epsilon = defaults.epsilon;
  }
  if (train.schedule == "constant" && train.warmup_share == 0) train.schedule = defaults.schedule;
  return train;
}

MethodSettings normalised(MethodSettings method) {
  if (method.alpha == static_cast<double>(method.rank)) method.alpha = 0;
  return method;
}

/// Makes the stages one after the other and remembers where each stands.
class Planner {
 public:
  Planner(const Config& config, const StageInputs& inputs) : inputs_(inputs) {
    plan_.config = config;
  }

  Plan make();

 private:
  /// What fine-tunings start from: a model's folder, or what a pretraining leaves.
  struct Start {
    std::string model;
    std::int64_t pretrain_seed = 0;
    std::string name;  // "x4/1"; empty for the only one
    std::vector<std::size_t> inputs;
    Hasher hasher;
    std::string on() const { return name.empty() ? "" : " on " + name; }
  };
  std::vector<Start> add_starts();
  Start add_start(const std::string& model, std::int64_t pretrain_seed);
  std::size_t add_pretrain(const std::string& model, std::int64_t seed);
  bool has_finetune(const Start& start, const std::string& method, std::int64_t seed_place) const;
  std::int64_t seed_after(std::int64_t seed) const;
  void add_finetune(const Start& start, const std::string& task, const std::string& method,
                    std::int64_t seed);
  /// A stage on one fine-tuning and what it started from.
  template <class Settings>
  void add_analysis(StageKind kind, const Settings& settings, const Start& start,
                    std::size_t finetune);
  void add_sharing(const Start& start);
  void add_report();

  /// What every stage's identity begins with.
  Hasher begin(StageKind kind) const {
    Hasher hasher;
    hasher.add(results_version).add(name_of(kind));
    hasher.add(plan_.config.dtype).add(plan_.config.device);
    if (plan_.config.tf32) hasher.add("tf32");  // only then: older results keep their names
    return hasher;
  }
  std::size_t add(Stage stage, const Hasher& hasher, const std::string& readable);
  void add_task(Hasher& hasher, const std::string& task);
  bool has_spectrum(const std::string& method) const;
  const std::string& hash_of_file(const std::string& path);

  const StageInputs& inputs_;
  Plan plan_;
  // Each file is read once.
  std::map<std::string, std::string> hash_of_task_, hash_of_file_, hash_of_model_;
};

std::size_t Planner::add(Stage stage, const Hasher& hasher, const std::string& readable) {
  stage.identity = hasher.hex();
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    if (plan_.stages[i].identity == stage.identity) return i;  // the same pretraining of two models
  }
  std::string words = readable.empty() ? "" : "-" + readable;
  std::replace(words.begin(), words.end(), '/', '-');
  stage.folder = fmt::format("{}{}-{}", name_of(stage.kind), words, stage.identity.substr(0, 8));
  plan_.stages.push_back(std::move(stage));
  return plan_.stages.size() - 1;
}

std::size_t Planner::add_pretrain(const std::string& model, std::int64_t seed) {
  const Config& config = plan_.config;
  PretrainSettings settings = config.pretrain_for(model);
  if (!settings.learns_vocabulary()) settings.vocabulary_size = 0;
  Hasher hasher = begin(StageKind::Pretrain);
  hasher.add(seed);
  add_settings(hasher, settings);
  if (settings.corpus == "synthetic") {
    hasher.add("synthetic").add(config.data.language_seed);
  } else {
    hasher.add("file").add(hash_of_file(settings.corpus));
  }
  if (!settings.vocabulary.empty()) hasher.add(hash_of_file(settings.vocabulary));
  if (settings.learns_vocabulary()) {
    for (const std::string& corpus : settings.vocabulary_corpora) hasher.add(hash_of_file(corpus));
  }
  Stage stage;
  stage.kind = StageKind::Pretrain;
  stage.model = model;
  stage.seed = stage.pretrain_seed = seed;
  const std::string name = model.empty() ? "" : model + " ";
  stage.label = fmt::format("pretrain {}seed {}", name, seed);
  const std::string corpus = std::filesystem::path(settings.corpus).stem().stem().string();
  return add(std::move(stage), hasher, fmt::format("{}-{}", model.empty() ? corpus : model, seed));
}

const std::string& Planner::hash_of_file(const std::string& path) {
  std::string& hash = hash_of_file_[path];
  if (hash.empty()) hash = inputs_.hash_of_file(path);
  return hash;
}

/// What a fine-tuning on this model reads.
Planner::Start Planner::add_start(const std::string& model, std::int64_t pretrain_seed) {
  const ModelSettings& settings = plan_.config.model_named(model);
  Start start{model, pretrain_seed, "", {}, Hasher()};
  add_settings(start.hasher, settings);
  if (!settings.is_pretrained_here()) {
    std::string& hash = hash_of_model_[settings.path];
    if (hash.empty()) hash = inputs_.hash_of_model_folder(settings.path);
    start.hasher.add("folder").add(hash);
    start.name = model;
    return start;
  }
  start.inputs.push_back(add_pretrain(model, pretrain_seed));
  if (const std::string matched = settings.matched_model(); !matched.empty()) {
    start.inputs.push_back(add_pretrain(matched, pretrain_seed));
  }
  for (const std::size_t input : start.inputs) {
    start.hasher.add("stage").add(plan_.stages[input].identity);
  }
  start.name = model;
  if (plan_.config.pretrain.seeds.size() > 1) {
    start.name = fmt::format("{}/{}", model.empty() ? "pretrained" : model, pretrain_seed);
  }
  return start;
}

void Planner::add_task(Hasher& hasher, const std::string& task) {
  const Config& config = plan_.config;
  hasher.add(task);
  const TaskSettings& settings = config.task.at(task);
  if (settings.is_own()) add_settings(hasher, settings);
  if (is_synthetic(task)) {
    add_settings(hasher, config.data);
    return;
  }
  std::string& hash = hash_of_task_[task];
  if (hash.empty()) hash = inputs_.hash_of_task(task);
  hasher.add(hash);
}

/// The next pretraining seed, in a circle.
std::int64_t Planner::seed_after(std::int64_t seed) const {
  const std::vector<std::int64_t>& seeds = plan_.config.pretrain.seeds;
  const auto found = std::find(seeds.begin(), seeds.end(), seed);
  return found + 1 == seeds.end() ? seeds.front() : found[1];
}

void Planner::add_finetune(const Start& start, const std::string& task, const std::string& method,
                           std::int64_t seed) {
  const Config& config = plan_.config;
  const MethodSettings settings = normalised(config.method.at(method));
  Stage stage;
  stage.kind = StageKind::Finetune;
  stage.model = start.model;
  stage.pretrain_seed = start.pretrain_seed;
  stage.task = task;
  stage.method = method;
  stage.seed = seed;
  stage.label = fmt::format("finetune {} {} seed {}{}", task, method, seed, start.on());
  stage.inputs = start.inputs;

  Hasher hasher = begin(StageKind::Finetune);
  hasher.add(seed).add(start.hasher.hex());
  if (settings.kind == "spectral" && settings.basis == "other-seed") {
    stage.inputs.push_back(add_pretrain(start.model, seed_after(start.pretrain_seed)));
    hasher.add(plan_.stages[stage.inputs.back()].identity);
  }
  add_task(hasher, task);
  add_settings(hasher, normalised(config.train_for(task, method)));
  hasher.add(method);
  add_settings(hasher, settings, [&](const std::string& key) { return method_has(settings, key); });

  const std::size_t place =
      add(std::move(stage), hasher, fmt::format("{}-{}-{}", task, method, seed));
  if (has_spectrum(method)) add_analysis(StageKind::Spectrum, config.spectrum, start, place);
  const std::vector<std::string>& cut = config.surgery.methods;
  if (std::find(cut.begin(), cut.end(), method) != cut.end()) {
    add_analysis(StageKind::Surgery, config.surgery, start, place);
  }
}

bool Planner::has_spectrum(const std::string& method) const {
  const SpectrumSettings& spectrum = plan_.config.spectrum;
  if (!spectrum.enabled) return false;
  if (spectrum.methods.empty()) return plan_.config.method.at(method).kind == "full";
  return std::find(spectrum.methods.begin(), spectrum.methods.end(), method) !=
         spectrum.methods.end();
}

template <class Settings>
void Planner::add_analysis(StageKind kind, const Settings& settings, const Start& start,
                           std::size_t finetune) {
  const Stage after = plan_.stages[finetune];
  Hasher hasher = begin(kind);
  hasher.add(after.identity);
  add_settings(hasher, settings);
  Stage stage = after;
  stage.kind = kind;
  stage.label = fmt::format("{} {} {} seed {}{}", name_of(kind), stage.task, stage.method,
                            stage.seed, start.on());
  stage.inputs.push_back(finetune);  // behind the weights before: of pretrain stages or none
  add(std::move(stage), hasher, fmt::format("{}-{}-{}", after.task, after.method, after.seed));
}

void Planner::add_sharing(const Start& start) {
  const std::vector<std::string>& methods = plan_.config.sharing.methods;
  Stage stage;
  stage.kind = StageKind::Sharing;
  stage.model = start.model;
  stage.pretrain_seed = start.pretrain_seed;
  stage.label = "sharing" + start.on();
  stage.inputs = start.inputs;
  Hasher hasher = begin(StageKind::Sharing);
  add_settings(hasher, plan_.config.sharing);
  hasher.add(start.hasher.hex());
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    const Stage& input = plan_.stages[i];
    const bool is_compared =
        input.kind == StageKind::Finetune && input.model == start.model &&
        input.pretrain_seed == start.pretrain_seed &&
        std::find(methods.begin(), methods.end(), input.method) != methods.end();
    if (!is_compared) continue;
    stage.inputs.push_back(i);
    hasher.add(input.identity);
  }
  if (stage.inputs.size() > start.inputs.size() + 1) add(std::move(stage), hasher, start.name);
}

void Planner::add_report() {
  const Config& config = plan_.config;
  Hasher hasher = begin(StageKind::Report);
  hasher.add(config.name).add(config.question).add(config.report.title);
  Stage stage;
  stage.kind = StageKind::Report;
  stage.label = "report";
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    stage.inputs.push_back(i);
    hasher.add(plan_.stages[i].identity);
  }
  add(std::move(stage), hasher, "");
}

std::vector<Planner::Start> Planner::add_starts() {
  const Config& config = plan_.config;
  std::vector<Start> starts;
  for (const std::int64_t seed : config.pretrain.seeds) {
    for (const std::string& model : config.model_names()) {
      const bool is_new_by_seed = config.model_named(model).is_pretrained_here();
      if (config.tasks.empty() && !is_new_by_seed) continue;
      if (!is_new_by_seed && seed != config.pretrain.seeds.front()) continue;
      starts.push_back(add_start(model, seed));
    }
  }
  const bool is_used = std::any_of(starts.begin(), starts.end(),
                                   [](const Start& start) { return !start.inputs.empty(); });
  if (config.has_pretrain && !is_used) {
    for (const std::int64_t seed : config.pretrain.seeds) add_pretrain("", seed);
  }
  return starts;
}

bool Planner::has_finetune(const Start& start, const std::string& method,
                           std::int64_t seed_place) const {
  const MethodSettings& settings = plan_.config.method.at(method);
  if (settings.max_seeds > 0 && seed_place >= settings.max_seeds) return false;
  return settings.models.empty() || std::find(settings.models.begin(), settings.models.end(),
                                              start.model) != settings.models.end();
}

Plan Planner::make() {
  const Config& config = plan_.config;
  std::vector<Start> starts = add_starts();
  // Seeds outside: an experiment that is stopped early has whole rounds of all tasks and methods.
  for (std::int64_t i = 0; i < std::ssize(config.seeds); ++i) {
    for (const Start& start : starts) {
      for (const std::string& task : config.tasks) {
        for (const std::string& method : config.methods) {
          if (!has_finetune(start, method, i)) continue;
          add_finetune(start, task, method, config.seeds[static_cast<std::size_t>(i)]);
        }
      }
    }
  }
  if (!config.sharing.methods.empty()) {
    for (const Start& start : starts) add_sharing(start);
  }
  if (config.report.enabled) add_report();
  return std::move(plan_);
}

}  // namespace

const char* name_of(StageKind kind) {
  switch (kind) {
    case StageKind::Pretrain:
      return "pretrain";
    case StageKind::Finetune:
      return "finetune";
    case StageKind::Spectrum:
      return "spectrum";
    case StageKind::Sharing:
      return "sharing";
    case StageKind::Surgery:
      return "surgery";
    case StageKind::Report:
      return "report";
  }
  return "?";
}

Plan make_plan(const Config& config, const StageInputs& inputs) {
  return Planner(config, inputs).make();
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
                                {"seed", stage.seed}}));
  }
  Json::object({{"name", plan.config.name}, {"stages", std::move(stages)}}).write(path, 1);
}

namespace {

StageKind read_kind(const JsonKeys& keys) {
  const std::string kind = keys.text("kind");
  for (const StageKind known : {StageKind::Pretrain, StageKind::Finetune, StageKind::Spectrum,
                                StageKind::Sharing, StageKind::Surgery, StageKind::Report}) {
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
