#include "experiments/config_reader.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {

void ConfigReader::read() {
  read_top();
  config_.has_pretrain = tree_.child_table(tree_.root(), "pretrain", "pretrain") != nullptr;
  read_plain("pretrain", config_.pretrain);
  read_plain("data", config_.data);
  read_plain("train", config_.train);
  read_plain("grid", config_.grid);
  read_plain("spectrum", config_.spectrum);
  read_plain("sharing", config_.sharing);
  read_plain("emergence", config_.emergence);
  read_plain("surgery", config_.surgery);
  read_plain("landscape", config_.landscape);
  read_plain("retention", config_.retention);
  read_plain("robustness", config_.robustness);
  read_plain("report", config_.report);
  read_models();
  read_tasks();
  read_methods();
  check_pretrain();
  check_perturbations();
  check_other_seeds();
  check_analysis("spectrum", config_.spectrum);
  check_analysis("sharing", config_.sharing);
  check_analysis("surgery", config_.surgery);
  check_landscape();
  check_retention();
  check_robustness();
  check_emergence();
  read_claims();
  check_grid();
  check_text_methods();
  check_images_meet_models();
}

void ConfigReader::read_top() {
  static const std::vector<std::string> tables = {
      "grid",      "model",      "pretrain", "data",      "train",   "task",
      "method",    "spectrum",   "sharing",  "emergence", "surgery", "landscape",
      "retention", "robustness", "claim",    "report"};
  for (const auto& [key, node] : tree_.root()) {
    if (contains(tables, key.str())) continue;
    if (const Field<Config>* field = find_field<Config>(key.str())) {
      read_field(tree_, node, *field, "", config_);
      continue;
    }
    std::vector<std::string> known = keys_of<Config>();
    known.insert(known.end(), tables.begin(), tables.end());
    fail_unknown_key(tree_, key, "", known);
  }
  const toml::table& root = tree_.root();
  check_no_duplicates(root, "seeds", "", config_.seeds);
  check_no_duplicates(root, "models", "", config_.models);
  check_no_duplicates(root, "tasks", "", config_.tasks);
  check_no_duplicates(root, "methods", "", config_.methods);
  if (config_.seeds.empty()) {
    tree_.fail(source_of(root, "seeds"), "\"seeds\" must name at least one seed");
  }
  if (config_.device == "cuda" && config_.dtype == "f64") {
    tree_.fail(source_of(root, "dtype"),
               "\"dtype\" f64 is for checks on the CPU: choose device = \"cpu\", or f32 or bf16");
  }
  if (config_.tasks.empty() != config_.methods.empty()) {
    const bool lacks_tasks = config_.tasks.empty();
    tree_.fail(root.source(),
               fmt::format("\"{}\" must name at least one, such as [\"{}\"]",
                           lacks_tasks ? "tasks" : "methods", lacks_tasks ? "mrpc" : "full"));
  }
  if (config_.tasks.empty() && root.get("pretrain") == nullptr) {
    tree_.fail(root.source(),
               "nothing to do: name \"tasks\" and \"methods\", or add a table [pretrain]");
  }
}

/// Every name of a list must be built in or have a table of its own.
void ConfigReader::check_names(const char* key, const std::vector<std::string>& names,
                               const std::vector<std::string>& built_in, const char* table) {
  const toml::table* const tables = tree_.child_table(tree_.root(), table, table);
  for (const std::string& name : names) {
    if (contains(built_in, name)) continue;
    if (tables != nullptr && tables->get(name) != nullptr) continue;
    std::vector<std::string> known = built_in;
    if (tables != nullptr) {
      for (const auto& [other, node] : *tables) known.emplace_back(other.str());
    }
    tree_.fail(source_of(tree_.root(), key),
               fmt::format("\"{}\" names \"{}\", which is neither built in nor a table [{}.{}]{}",
                           key, name, table, name, did_you_mean(name, known)));
  }
}

void ConfigReader::check_table_name(const char* what, const std::string& name,
                                    const toml::table& source) const {
  const Constraint& constraint = find_field<Config>("tasks")->constraint;
  if (constraint.holds(name)) return;
  tree_.fail(source.source(), fmt::format("a {}'s name must be {}, not {}", what, constraint.text,
                                          toml_value(name)));
}

void ConfigReader::read_tasks() {
  check_names("tasks", config_.tasks, known_tasks(), "task");
  for (const std::string& name : config_.tasks) config_.task[name].name = name;
  const toml::table* const tables = tree_.child_table(tree_.root(), "task", "task");
  if (tables == nullptr) return;
  for (const auto& [key, node] : *tables) {
    const std::string name(key.str());
    read_task(name, *tree_.child_table(*tables, name, "task." + name));
  }
}

void ConfigReader::read_task(const std::string& name, const toml::table& source) {
  const std::string table = "task." + name;
  check_table_name("task", name, source);
  TaskSettings task;
  task.name = name;
  const bool is_built_in = contains(known_tasks(), name);
  for (const auto& [key, node] : source) {
    const bool is_of_own = find_field<TaskSettings>(key.str()) != nullptr && key.str() != "models";
    if (!is_built_in || !is_of_own) continue;
    tree_.fail(key.source(),
               fmt::format("{} belongs to tasks of your own, and \"{}\" is built in: take "
                           "another name, or set keys of [train] here",
                           key_name(key.str(), table), name));
  }
  read_with_overrides(source, table, task, config_.train);
  for (const std::string& model : task.models) {
    if (contains(config_.models, model)) continue;
    tree_.fail(source_of(source, "models"),
               fmt::format("{} names \"{}\", which is not among \"models\"{}",
                           key_name("models", table), model, did_you_mean(model, config_.models)));
  }
  if (task.is_images()) {
    check_image_task(task, source);
  } else if (task.is_text()) {
    check_text_task(task, source);
  } else if (!is_built_in) {
    if (task.metrics.empty()) {
      task.metrics = task.regression ? std::vector<std::string>{"pearson", "spearman"}
                                     : std::vector<std::string>{"accuracy"};
    }
    check_own_task(task, source);
  }
  config_.task[name] = task;
}

void ConfigReader::check_own_task(const TaskSettings& task, const toml::table& source) {
  const std::string table = "task." + task.name;
  const auto fail = [&](std::string_view key, const std::string& message) {
    tree_.fail(source_of(source, key), key_name(key, table) + message);
  };
  for (const char* key : {"transforms", "patch"}) {
    if (source.get(key) != nullptr)
      fail(key, " belongs to a task of images, which names \"images\"");
  }
  for (const auto& [key, value] :
       {std::pair{"train", &task.train}, std::pair{"dev", &task.dev},
        std::pair{"first", &task.first}, std::pair{"label", &task.label}}) {
    if (value->empty()) {
      const std::string hint =
          task.train.empty() ? did_you_mean(task.name, known_tasks()) : std::string();
      fail(key, fmt::format(" is missing: a task of your own names train, dev, first and label{}",
                            hint));
    }
  }
  check_no_duplicates(source, "labels", table, task.labels);
  check_no_duplicates(source, "metrics", table, task.metrics);
  if (task.regression && !task.labels.empty()) fail("labels", " must be empty for regression");
  if (!task.regression && task.labels.size() < 2) {
    fail("labels", " must name at least two classes (or set regression = true)");
  }
  for (const std::string& metric : task.metrics) {
    const bool is_of_numbers = metric == "pearson" || metric == "spearman";
    if (is_of_numbers != task.regression) {
      fail("metrics",
           fmt::format(": {} is a metric of {}", metric, is_of_numbers ? "regression" : "classes"));
    }
    if (metric == "f1" && task.labels.size() != 2) {
      fail("metrics", ": f1 needs exactly two classes, the second being the positive one");
    }
  }
}

void ConfigReader::read_methods() {
  check_names("methods", config_.methods, known_methods(), "method");
  for (const std::string& name : config_.methods) {
    if (!contains(known_methods(), name)) continue;
    config_.method[name] = method_preset(name);
    config_.method[name].name = name;
  }
  const toml::table* const tables = tree_.child_table(tree_.root(), "method", "method");
  if (tables == nullptr) return;
  for (const auto& [key, node] : *tables) {
    const std::string name(key.str());
    read_method(name, *tree_.child_table(*tables, name, "method." + name));
  }
}

void ConfigReader::read_method(const std::string& name, const toml::table& source) {
  const std::string table = "method." + name;
  check_table_name("method", name, source);
  const bool is_built_in = contains(known_methods(), name);
  MethodSettings method;
  if (is_built_in) method = method_preset(name);
  if (const toml::node* const node = source.get("kind")) {
    MethodSettings asked;
    read_field(tree_, *node, *find_field<MethodSettings>("kind"), table, asked);
    if (is_built_in && asked.kind != method.kind) {
      tree_.fail(node->source(),
                 fmt::format("{} must be \"{}\": \"{}\" is a built-in name; take another",
                             key_name("kind", table), method.kind, name));
    }
    if (!is_built_in) method = method_preset(asked.kind);
  } else if (!is_built_in) {
    tree_.fail(source.source(), fmt::format("{} is missing: {}{}", key_name("kind", table),
                                            find_field<MethodSettings>("kind")->constraint.text,
                                            did_you_mean(name, known_methods())));
  }
  method.name = name;

  read_with_overrides(source, table, method, config_.train);
  check_method(method, source);
  config_.method[name] = method;
}

void ConfigReader::check_method(const MethodSettings& method, const toml::table& source) {
  const std::string table = "method." + method.name;
  const auto fail = [&](std::string_view key, const std::string& message) {
    tree_.fail(source_of(source, key), key_name(key, table) + message);
  };
  for (const Field<MethodSettings>& field : fields<MethodSettings>()) {
    if (source.get(field.key) == nullptr || method_has(method, field.key)) continue;
    const std::string form =
        method.kind == "spectral" ? fmt::format(", form \"{}\"", method.form) : "";
    fail(field.key, fmt::format(" means nothing to kind \"{}\"{}", method.kind, form));
  }
  if (method.curvature == "steered" && method.curvature_beta < 0) {
    fail("curvature_beta", " is missing: \"steered\" needs a β from 0 to 1");
  }
  for (const auto& [key, value] : {std::pair{"curvature_beta", method.curvature_beta},
                                   std::pair{"curvature_c", method.curvature_c}}) {
    if (method.curvature != "trained" || (value != 0 && value != 1)) continue;
    fail(key, fmt::format(" = {} cannot be trained: start above 0 and below 1", value));
  }
  if (!method_has(method, "targets")) return;
  if (method.targets.empty()) fail("targets", " must name at least one matrix");
  check_no_duplicates(source, "targets", table, method.targets);
  if (method.kind != "spectral" && method.rank == 0 && method_has(method, "rank")) {
    fail("rank", fmt::format(" must be at least 1 for {}", method.kind));
  }
  if (method.apply == "merged" && (method.kind == "vera" || method.kind == "dora")) {
    fail("apply", fmt::format(" cannot be \"merged\" with {}: {}", method.kind,
                              method.kind == "vera" ? "its product starts with a diagonal"
                                                    : "it scales the layer's output"));
  }
  if (method.apply == "merged" && method.adapter_dropout > 0) {
    fail("apply", " cannot be \"merged\" with adapter_dropout: dropout acts on the side path");
  }
}

/// [spectrum], [sharing] and [surgery]: all name methods and ranks.
/// The fine-tunings that a table is about are the config's.
void ConfigReader::check_analysed_methods(const toml::table& source, const char* table,
                                          const std::vector<std::string>& methods) {
  check_no_duplicates(source, "methods", table, methods);
  for (const std::string& name : methods) {
    if (contains(config_.methods, name)) continue;
    tree_.fail(source_of(source, "methods"),
               fmt::format("{} names \"{}\", which is not among \"methods\"{}",
                           key_name("methods", table), name, did_you_mean(name, config_.methods)));
  }
}

template <class Settings>
void ConfigReader::check_analysis(const char* table, const Settings& settings) {
  const toml::table* const source = tree_.root()[table].as_table();
  if (source == nullptr) return;
  check_no_duplicates(*source, "ranks", table, settings.ranks);
  if (settings.ranks.empty()) {
    tree_.fail(source_of(*source, "ranks"), key_name("ranks", table) + " must name at least one");
  }
  check_analysed_methods(*source, table, settings.methods);
}

Config parse_config(std::string_view text, const std::string& file,
                    const std::vector<std::string>& overrides, ConfigForm form) {
  const ConfigTree tree(text, file, overrides, form);
  Config config;
  ConfigReader(tree, config).read();
  if (config.name.empty()) config.name = std::filesystem::path(file).stem().string();
  if (form == ConfigForm::Reduced) config.name += "-reduced";
  const Constraint& constraint = find_field<Config>("name")->constraint;
  if (!constraint.holds(config.name)) {
    throw Error(fmt::format("{}: \"name\" is missing, and the file's own is not {}", file,
                            constraint.text));
  }
  return config;
}

Config load_config(const std::filesystem::path& path, const std::vector<std::string>& overrides,
                   ConfigForm form) {
  return parse_config(read_file(path), path.string(), overrides, form);
}

}  // namespace basis
