#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "experiments/choice.h"
#include "experiments/contains.h"
#include "experiments/settings_hash.h"
#include "experiments/stage.h"

namespace basis {
namespace {

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
  bool has_finetune(const Start& start, const std::string& task, const std::string& method,
                    std::int64_t seed_place) const;
  std::int64_t seed_after(std::int64_t seed) const;
  /// A stage that is not in the plan yet, and what its identity hashes so far.
  struct Tuning {
    Stage stage;
    Hasher hasher;
  };
  Tuning tuning_of(StageKind kind, const Start& start, const std::string& task,
                   const std::string& method, std::int64_t seed);
  void add_input(Tuning& tuning, std::size_t input);
  std::size_t add_choice(const Start& start, const std::string& task, const std::string& method);
  void add_finetune(const Start& start, const std::string& task, const std::string& method,
                    std::int64_t seed);
  /// What the identity of a stage on one other begins with.
  template <class Settings>
  Hasher begin_analysis(StageKind kind, const Settings& settings, std::size_t input) const {
    Hasher hasher = begin(kind);
    hasher.add(plan_.stages[input].identity);
    add_settings(hasher, settings);
    return hasher;
  }
  /// A stage on one fine-tuning and what it started from.
  void add_analysis(StageKind kind, const Hasher& hasher, const Start& start, std::size_t finetune);
  /// A stage on one pretraining, however many models share it.
  void add_analysis(StageKind kind, const Hasher& hasher, std::size_t pretrain);
  void add_analyses(const Start& start, std::size_t finetune);
  bool has_retention(const Stage& finetune) const;
  void add_retention(const Start& start, std::size_t finetune);
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
  void add_images(Hasher& hasher, const TaskSettings& task);
  bool has_spectrum(const std::string& model, const std::string& method) const;
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
  add_training(hasher, settings);
  if (settings.is_images()) {
    hasher.add("images");
    add_task(hasher, settings.task);
  } else if (settings.corpus == "synthetic") {
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
  const std::string corpus = settings.is_images()
                                 ? settings.task
                                 : std::filesystem::path(settings.corpus).stem().stem().string();
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

/// All of a task of images but the content of its files.
void Planner::add_images(Hasher& hasher, const TaskSettings& task) {
  const DataSettings& data = plan_.config.data;
  hasher.add("images");
  add_settings(hasher, task, is_of_images);
  const bool is_made = plan_.config.makes_rows(task.name);
  if (is_made) hasher.add(data.synthetic_train_rows).add(data.synthetic_dev_rows);
  if (is_made || !task.transforms.empty()) hasher.add(data.rows_seed);
}

void Planner::add_task(Hasher& hasher, const std::string& task) {
  const Config& config = plan_.config;
  hasher.add(task);
  const TaskSettings& settings = config.task.at(task);
  if (settings.is_images()) {
    add_images(hasher, settings);
    if (config.makes_rows(task)) return;
  } else if (settings.is_own()) {
    add_settings(hasher, settings, [&](const std::string& key) { return !is_of_images(key); });
  }
  if (settings.is_text()) hasher.add("text");
  if (settings.corpus == "synthetic") {
    hasher.add(config.data.language_seed).add(config.pretrain.documents);
    hasher.add(config.pretrain.held_out_documents);
  }
  if (config.makes_rows(task)) {
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

/// A fine-tuning but for its rate and its rows for scoring.
Planner::Tuning Planner::tuning_of(StageKind kind, const Start& start, const std::string& task,
                                   const std::string& method, std::int64_t seed) {
  const Config& config = plan_.config;
  const MethodSettings settings = normalised(config.method.at(method));
  Tuning tuning{{}, begin(kind)};
  Stage& stage = tuning.stage;
  stage.kind = kind;
  stage.model = start.model;
  stage.pretrain_seed = start.pretrain_seed;
  stage.task = task;
  stage.method = method;
  stage.seed = seed;
  stage.inputs = start.inputs;
  Hasher& hasher = tuning.hasher;
  hasher.add(seed).add(start.hasher.hex());
  if (settings.basis == "other-seed") {
    add_input(tuning, add_pretrain(start.model, seed_after(start.pretrain_seed)));
  }
  add_task(hasher, task);
  add_training(hasher, normalised(config.train_for(task, method), config.task.at(task)));
  hasher.add(method);
  add_settings(hasher, settings, [&](const std::string& key) {
    // Only where it is on: older results keep their names.
    const bool is_off = key == "curvature" && settings.curvature == "none";
    return method_has(settings, key) && !is_off;
  });
  const std::string& head = config.grid.head;
  if (!head.empty() && head != method) add_input(tuning, add_choice(start, task, head));
  return tuning;
}

void Planner::add_input(Tuning& tuning, std::size_t input) {
  tuning.stage.inputs.push_back(input);
  tuning.hasher.add("input").add(plan_.stages[input].identity);
}

/// The rates of a method on a task, tried, and the choice among them.
std::size_t Planner::add_choice(const Start& start, const std::string& task,
                                const std::string& method) {
  const Config& config = plan_.config;
  Stage choice;
  choice.kind = StageKind::Choice;
  choice.model = start.model;
  choice.pretrain_seed = start.pretrain_seed;
  choice.task = task;
  choice.method = method;
  choice.label = fmt::format("choice {} {}{}", task, method, start.on());
  Hasher hasher = begin(StageKind::Choice);
  hasher.add("extends").add(most_extensions);
  std::vector<std::size_t> grid;
  for (const double rate : config.method.at(method).learning_rates) {
    for (const std::int64_t seed : config.grid.seeds) {
      Tuning tuning = tuning_of(StageKind::Grid, start, task, method, seed);
      tuning.stage.learning_rate = rate;
      tuning.stage.label =
          fmt::format("grid {} {} {} seed {}{}", task, method, rate, seed, start.on());
      tuning.hasher.add(rate);
      add_settings(tuning.hasher, config.grid);
      // What a grid stage reads, the choice reads where it extends the grid.
      choice.inputs = tuning.stage.inputs;
      grid.push_back(add(std::move(tuning.stage), tuning.hasher,
                         fmt::format("{}-{}-{}-{}", task, method, rate, seed)));
      hasher.add(plan_.stages[grid.back()].identity);
    }
  }
  choice.inputs.insert(choice.inputs.end(), grid.begin(), grid.end());
  return add(std::move(choice), hasher, fmt::format("{}-{}", task, method));
}

void Planner::add_finetune(const Start& start, const std::string& task, const std::string& method,
                           std::int64_t seed) {
  const Config& config = plan_.config;
  Tuning tuning = tuning_of(StageKind::Finetune, start, task, method, seed);
  if (!config.method.at(method).learning_rates.empty()) {
    add_input(tuning, add_choice(start, task, method));
  }
  tuning.stage.label = fmt::format("finetune {} {} seed {}{}", task, method, seed, start.on());
  const std::size_t place =
      add(std::move(tuning.stage), tuning.hasher, fmt::format("{}-{}-{}", task, method, seed));
  add_analyses(start, place);
}

void Planner::add_analyses(const Start& start, std::size_t finetune) {
  const Config& config = plan_.config;
  const std::string method = plan_.stages[finetune].method;
  const auto add_one = [&](StageKind kind, const auto& settings) {
    add_analysis(kind, begin_analysis(kind, settings, finetune), start, finetune);
  };
  if (has_spectrum(start.model, method)) add_one(StageKind::Spectrum, config.spectrum);
  if (contains(config.surgery.methods, method)) add_one(StageKind::Surgery, config.surgery);
  if (contains(config.landscape.methods, method)) add_one(StageKind::Landscape, config.landscape);
  if (contains(config.robustness.methods, method)) {
    add_one(StageKind::Robustness, config.robustness);
  }
  if (has_retention(plan_.stages[finetune])) add_retention(start, finetune);
}

bool Planner::has_spectrum(const std::string& model, const std::string& method) const {
  const SpectrumSettings& spectrum = plan_.config.spectrum;
  const MethodSettings& settings = plan_.config.method.at(method);
  const bool is_perceptron =
      plan_.config.has_pretrain && plan_.config.pretrain_for(model).is_perceptron();
  if (!spectrum.enabled || is_perceptron || settings.reads_pixels()) return false;
  if (spectrum.methods.empty()) return settings.kind == "full";
  return contains(spectrum.methods, method);
}

void Planner::add_analysis(StageKind kind, const Hasher& hasher, const Start& start,
                           std::size_t finetune) {
  const Stage after = plan_.stages[finetune];
  Stage stage = after;
  stage.kind = kind;
  stage.label = fmt::format("{} {} {} seed {}{}", name_of(kind), stage.task, stage.method,
                            stage.seed, start.on());
  stage.inputs.push_back(finetune);  // behind the weights before: of pretrain stages or none
  add(std::move(stage), hasher, fmt::format("{}-{}-{}", after.task, after.method, after.seed));
}

bool Planner::has_retention(const Stage& finetune) const {
  const RetentionSettings& retention = plan_.config.retention;
  return contains(retention.methods, finetune.method) && finetune.task != retention.task &&
         !plan_.config.task.at(finetune.task).is_text();
}

void Planner::add_retention(const Start& start, std::size_t finetune) {
  const Config& config = plan_.config;
  const std::string& other = config.retention.task;
  Hasher hasher = begin_analysis(StageKind::Retention, config.retention, finetune);
  add_task(hasher, other);
  add_training(hasher, normalised(config.retention_train(), config.task.at(other)));
  add_analysis(StageKind::Retention, hasher, start, finetune);
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
    const bool is_compared = input.kind == StageKind::Finetune && input.model == start.model &&
                             input.pretrain_seed == start.pretrain_seed &&
                             contains(methods, input.method);
    if (!is_compared) continue;
    stage.inputs.push_back(i);
    hasher.add(input.identity);
  }
  if (stage.inputs.size() > start.inputs.size() + 1) add(std::move(stage), hasher, start.name);
}

void Planner::add_analysis(StageKind kind, const Hasher& hasher, std::size_t pretrain) {
  Stage stage = plan_.stages[pretrain];
  stage.kind = kind;
  const std::string name = stage.model.empty() ? "" : stage.model + " ";
  stage.label = fmt::format("{} {}seed {}", name_of(kind), name, stage.seed);
  stage.inputs = {pretrain};
  const std::string readable =
      fmt::format("{}{}", name.empty() ? "" : stage.model + "-", stage.seed);
  add(std::move(stage), hasher, readable);
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

bool Planner::has_finetune(const Start& start, const std::string& task, const std::string& method,
                           std::int64_t seed_place) const {
  const MethodSettings& settings = plan_.config.method.at(method);
  if (settings.max_seeds > 0 && seed_place >= settings.max_seeds) return false;
  return names_or_all(settings.models, start.model) &&
         names_or_all(plan_.config.task.at(task).models, start.model);
}

Plan Planner::make() {
  const Config& config = plan_.config;
  std::vector<Start> starts = add_starts();
  // Seeds outside: an experiment that is stopped early has whole rounds of all tasks and methods.
  for (std::int64_t i = 0; i < std::ssize(config.seeds); ++i) {
    for (const Start& start : starts) {
      for (const std::string& task : config.tasks) {
        for (const std::string& method : config.methods) {
          if (!has_finetune(start, task, method, i)) continue;
          add_finetune(start, task, method, config.seeds[static_cast<std::size_t>(i)]);
        }
      }
    }
  }
  if (!config.sharing.methods.empty()) {
    for (const Start& start : starts) add_sharing(start);
  }
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    if (plan_.stages[i].kind != StageKind::Pretrain) continue;
    const auto add_one = [&](StageKind kind, const auto& settings) {
      add_analysis(kind, begin_analysis(kind, settings, i), i);
    };
    if (config.emergence.enabled) add_one(StageKind::Emergence, config.emergence);
    const bool is_of_images = config.pretrain_for(plan_.stages[i].model).is_images();
    if (config.landscape.pretrained && !is_of_images) {
      add_one(StageKind::Landscape, config.landscape);
    }
  }
  if (config.report.enabled) add_report();
  return std::move(plan_);
}

}  // namespace

Plan make_plan(const Config& config, const StageInputs& inputs) {
  return Planner(config, inputs).make();
}

}  // namespace basis
