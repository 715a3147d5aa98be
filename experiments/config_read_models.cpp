#include "experiments/config_reader.h"
#include "experiments/cross_fitted.h"

namespace basis {

/// [model] holds its own keys and the tables of the named ones.
void ConfigReader::read_models() {
  const toml::table* const tables = tree_.child_table(tree_.root(), "model", "model");
  if (tables != nullptr) {
    for (const auto& [key, node] : *tables) {
      if (node.is_table()) continue;
      const Field<ModelSettings>* const field = find_field<ModelSettings>(key.str());
      if (field == nullptr) fail_unknown_key(tree_, key, "model", keys_of<ModelSettings>());
      read_field(tree_, node, *field, "model", config_.model);
    }
    check_checkpoint(config_.model, *tables);
    for (const auto& [key, node] : *tables) {
      if (const toml::table* const table = node.as_table()) {
        read_model(std::string(key.str()), *table);
      }
    }
  }
  check_names("models", config_.models, {}, "model");
}

void ConfigReader::read_model(const std::string& name, const toml::table& source) {
  const std::string table = "model." + name;
  check_table_name("model", name, source);
  ModelSettings model = config_.model;
  model.name = name;
  read_with_overrides(source, table, model, config_.pretrain);
  config_.named_model[name] = model;
  check_image_pretrain(config_.pretrain_for(name), table, source);
  if (model.overrides.contains("seeds")) {
    tree_.fail(source_of(source, "seeds"),
               "\"seeds\" belongs to [pretrain]: all models have the same ones");
  }
  check_checkpoint(model, source);
}

void ConfigReader::check_checkpoint(const ModelSettings& model, const toml::table& source) {
  if (model.checkpoint == "final" || model.is_pretrained_here()) return;
  const std::string table = model.name.empty() ? "model" : "model." + model.name;
  tree_.fail(source_of(source, "checkpoint"),
             fmt::format("{} is of a model that [pretrain] makes; this one is {}",
                         key_name("checkpoint", table), toml_value(model.path)));
}

void ConfigReader::check_pretrain() {
  const toml::table& root = tree_.root();
  if (!config_.has_pretrain) {
    for (const std::string& name : config_.model_names()) {
      if (!config_.model_named(name).is_pretrained_here()) continue;
      const toml::table* model = root["model"].as_table();
      if (!name.empty()) model = (*model)[name].as_table();
      tree_.fail(source_of(*model, "path"),
                 fmt::format("{} is \"pretrain\", but there is no table [pretrain]",
                             key_name("path", name.empty() ? "model" : "model." + name)));
    }
    return;
  }
  const toml::table& source = *root["pretrain"].as_table();
  check_image_pretrain(config_.pretrain, "pretrain", source);
  check_no_duplicates(source, "seeds", "pretrain", config_.pretrain.seeds);
  if (config_.pretrain.seeds.empty()) {
    tree_.fail(source_of(source, "seeds"), "\"seeds\" in [pretrain] must name at least one seed");
  }
  for (const std::string& name : config_.model_names()) check_pretrain_of(name);
}

void ConfigReader::read_claims() {
  const toml::table* const tables = tree_.child_table(tree_.root(), "claim", "claim");
  if (tables == nullptr) return;
  for (const auto& [key, node] : *tables) {
    const std::string name(key.str());
    read_claim(name, *tree_.child_table(*tables, name, "claim." + name));
  }
}

namespace {

/// Does the claim compare two models, the first with the second?
bool compares_models(const ClaimSettings& claim) {
  const bool can = claim.endpoint == "basin-ratio" || claim.endpoint == "kept-difference";
  return can && claim.models.size() == 2;
}

/// Must the claim name a method for the key?
bool needs_method(const ClaimSettings& claim, std::string_view key) {
  const std::string& endpoint = claim.endpoint;
  if (endpoint == "score-share") return true;
  if (endpoint == "basin-ratio" || endpoint == "kept-difference") {
    const bool is_side = key == "method" || key == "control";
    return is_side && !(compares_models(claim) && (key == "control" || endpoint == "basin-ratio"));
  }
  if (endpoint == "score-margin" || endpoint.ends_with("-difference"))
    return key == "method" || key == "control";
  return (endpoint == "rotation-ratio" || endpoint == "data-slope") && key == "method";
}

}  // namespace

/// A claim is about one model, but for that on the amount of data, which compares them.
void ConfigReader::check_claimed_models(const ClaimSettings& claim, const toml::table& source) {
  const std::string key = key_name("models", "claim." + claim.name);
  if (claim.endpoint == "data-slope") {
    if (claim.models.size() < 2) {
      tree_.fail(source_of(source, "models"),
                 key + " must name two or more: their data are what the slope is over");
    }
    for (const std::string& model : claim.models) {
      if (config_.model_named(model).is_pretrained_here()) continue;
      tree_.fail(source_of(source, "models"),
                 fmt::format("{} names \"{}\", whose data nobody knows: its path is not "
                             "\"pretrain\"",
                             key, model));
    }
  } else if (config_.models.size() > 1 && claim.models.size() != 1 && !compares_models(claim)) {
    tree_.fail(source_of(source, "models"),
               fmt::format("{} must name the one of {} that the claim is about", key,
                           fmt::join(config_.models, ", ")));
  }
}

void ConfigReader::read_claim(const std::string& name, const toml::table& source) {
  const std::string table = "claim." + name;
  check_table_name("claim", name, source);
  ClaimSettings claim;
  claim.name = name;
  read_table(tree_, source, table, claim);
  for (const auto& [key, value] :
       {std::pair{"text", &claim.text}, std::pair{"endpoint", &claim.endpoint}}) {
    if (value->empty()) tree_.fail(source.source(), key_name(key, table) + " is missing");
  }
  for (const auto& [key, value] :
       {std::pair{"method", &claim.method}, std::pair{"control", &claim.control},
        std::pair{"ceiling", &claim.ceiling}, std::pair{"floor", &claim.floor}}) {
    if (value->empty() && needs_method(claim, key)) {
      tree_.fail(source.source(), fmt::format("{} is missing: endpoint \"{}\" needs it",
                                              key_name(key, table), claim.endpoint));
    }
    const bool takes_families =
        claim.endpoint.starts_with("score-") || claim.endpoint == "robustness-difference";
    const bool is_chosen = takes_families && is_family(config_, *value);
    if (value->empty() || is_chosen || contains(config_.methods, *value)) continue;
    tree_.fail(source_of(source, key),
               fmt::format("{} names \"{}\", which is not among \"methods\"{}",
                           key_name(key, table), *value, did_you_mean(*value, config_.methods)));
  }
  for (const auto& [key, names, known] : {std::tuple{"models", &claim.models, &config_.models},
                                          std::tuple{"tasks", &claim.tasks, &config_.tasks}}) {
    for (const std::string& one : *names) {
      if (contains(*known, one)) continue;
      tree_.fail(source_of(source, key),
                 fmt::format("{} names \"{}\", which is not among \"{}\"{}", key_name(key, table),
                             one, key, did_you_mean(one, *known)));
    }
  }
  check_claimed_models(claim, source);
  if (claim.endpoint == "robustness-difference") check_attack(claim, source);
  config_.claim[name] = claim;
}

/// The basis of another pretraining seed needs one, for every model that the method trains.
void ConfigReader::check_other_seeds() {
  for (const auto& [name, method] : config_.method) {
    if (method.basis != "other-seed") continue;
    for (const std::string& model : config_.model_names()) {
      if (!names_or_all(method.models, model)) continue;
      if (config_.model_named(model).is_pretrained_here() && config_.pretrain.seeds.size() > 1) {
        continue;
      }
      tree_.fail(tree_.root().source(),
                 fmt::format("\"basis\" in [method.{}] is \"other-seed\": that takes a model with "
                             "path \"pretrain\" and two \"seeds\" in [pretrain] or more",
                             name));
    }
  }
}

/// `model`: whose [model.NAME] may say what [pretrain] does not.
void ConfigReader::check_pretrain_of(const std::string& model) {
  PretrainSettings asked = config_.pretrain;
  for (const auto& [key, value] : config_.model_named(model).overrides) {
    find_field<PretrainSettings>(key)->set(asked, value);
  }
  const PretrainSettings pretrain = asked.resolved();
  const auto fail = [&](const char* key, const std::string& message) {
    const toml::table& root = tree_.root();
    const bool is_own = !model.empty() && config_.model_named(model).overrides.contains(key);
    const toml::table& table =
        is_own ? *(*root["model"].as_table())[model].as_table() : *root["pretrain"].as_table();
    tree_.fail(source_of(table, key),
               key_name(key, is_own ? "model." + model : "pretrain") + message);
  };
  if (asked.is_perceptron() && !asked.is_images()) {
    fail("architecture", " is \"perceptron\", which reads images: name a \"task\" of images");
  }
  if (!pretrain.is_perceptron() && pretrain.hidden_size % pretrain.num_attention_heads != 0) {
    fail("num_attention_heads", fmt::format(" must divide hidden_size: {} does not divide {}",
                                            pretrain.num_attention_heads, pretrain.hidden_size));
  }
  if ((asked.steps > 0) + (asked.tokens > 0) + (asked.minutes > 0) > 1) {
    fail(asked.tokens > 0 ? "tokens" : "minutes",
         " stands beside another budget: choose one of steps, tokens and minutes");
  }
  const std::string matched = config_.model_named(model).matched_model();
  if (!matched.empty() &&
      (!contains(config_.models, matched) || !config_.model_named(matched).is_pretrained_here())) {
    tree_.fail(tree_.root().source(),
               fmt::format("\"checkpoint\" in [model.{}] matches \"{}\", which is not among "
                           "\"models\" with path \"pretrain\"{}",
                           model, matched, did_you_mean(matched, config_.models)));
  }
}

/// A task of plain text has a corpus and keys of [train], and no files with labels.
void ConfigReader::check_text_task(const TaskSettings& task, const toml::table& source) {
  const std::string table = "task." + task.name;
  for (const Field<TaskSettings>& field : fields<TaskSettings>()) {
    if (field.key == "corpus" || field.key == "models" || source.get(field.key) == nullptr)
      continue;
    tree_.fail(source_of(source, field.key),
               fmt::format("{} means nothing to a task of plain text: {} stands beside it",
                           key_name(field.key, table), key_name("corpus", table)));
  }
}

/// Masked language modelling trains whole models, at rates that are written down.
void ConfigReader::check_text_methods() {
  for (const std::string& task : config_.tasks) {
    if (!config_.task.at(task).is_text()) continue;
    for (const std::string& name : config_.methods) {
      const MethodSettings& method = config_.method.at(name);
      const bool starts = method.start == "pretrained" || method.start == "random";
      if (method.kind == "full" && starts && method.labels == "true" &&
          method.learning_rates.empty()) {
        continue;
      }
      tree_.fail(tree_.root().source(),
                 fmt::format("[task.{}] is plain text, which methods of kind full train on, from "
                             "pretrained or random weights, without learning_rates; \"{}\" is "
                             "another",
                             task, name));
    }
    if (!config_.surgery.methods.empty()) {
      tree_.fail(
          source_of(*tree_.root()["surgery"].as_table(), "methods"),
          fmt::format("[surgery] needs rows with labels, and [task.{}] is plain text", task));
    }
  }
}

/// It reads snapshots of every pretraining that the plan will have.
void ConfigReader::check_emergence() {
  const toml::table* const source = tree_.root()["emergence"].as_table();
  if (source == nullptr) return;
  check_no_duplicates(*source, "ranks", "emergence", config_.emergence.ranks);
  if (config_.emergence.ranks.empty()) {
    tree_.fail(source_of(*source, "ranks"),
               key_name("ranks", "emergence") + " must name at least one");
  }
  if (!config_.emergence.enabled) return;
  const auto fail = [&](const std::string& message) {
    tree_.fail(source_of(*source, "enabled"), key_name("enabled", "emergence") + message);
  };
  if (!config_.has_pretrain) fail(" needs a table [pretrain] with \"snapshots\"");
  std::vector<std::string> names = config_.model_names();
  std::erase_if(names,
                [&](const auto& name) { return !config_.model_named(name).is_pretrained_here(); });
  if (names.empty()) names = {""};  // [pretrain] for itself
  for (const std::string& name : names) {
    const PretrainSettings pretrain = config_.pretrain_for(name);
    if (pretrain.is_images()) {
      fail(fmt::format(" needs snapshots, which a pretraining on images ([task.{}]) does not keep",
                       pretrain.task));
    }
    if (!pretrain.snapshots.empty()) continue;
    fail(
        fmt::format(" needs \"snapshots\" in [{}]: token counts at which the model is kept (0: the "
                    "initial weights)",
                    name.empty() ? "pretrain" : "model." + name));
  }
}

/// Rates that are chosen need rows to choose on, and seeds that are not reported.
void ConfigReader::check_grid() {
  const toml::table& root = tree_.root();
  const toml::table* const grid = root["grid"].as_table();
  const auto fail = [&](const char* key, const std::string& message) {
    tree_.fail(grid != nullptr ? source_of(*grid, key) : root.source(),
               key_name(key, "grid") + message);
  };
  if (grid != nullptr) check_no_duplicates(*grid, "seeds", "grid", config_.grid.seeds);
  if (config_.grid.seeds.empty()) fail("seeds", " must name at least one seed");
  const auto chosen = config_.method.find(config_.grid.head);
  if (!config_.grid.head.empty() &&
      (chosen == config_.method.end() || chosen->second.kind != "head" ||
       chosen->second.learning_rates.empty() || !contains(config_.methods, config_.grid.head))) {
    fail("head", fmt::format(" names \"{}\", which is no method of kind head with learning_rates",
                             config_.grid.head));
  }
  for (const std::string& name : config_.methods) {
    const MethodSettings& method = config_.method.at(name);
    if (method.learning_rates.empty()) continue;
    for (const std::int64_t seed : config_.grid.seeds) {
      if (!contains(config_.seeds, seed)) {
        continue;
      }
      fail("seeds", fmt::format(" names {}, which is among the reported \"seeds\": what chooses a "
                                "rate must not be reported",
                                seed));
    }
    for (const std::string& task : config_.tasks) {
      if (config_.train_for(task, name).train_rows > 0 || config_.makes_rows(task)) continue;
      tree_.fail(root.source(),
                 fmt::format("\"learning_rates\" in [method.{}]: a rate is chosen on training rows "
                             "behind \"train_rows\", and {} trains on all of them",
                             name, task));
    }
  }
}

}  // namespace basis
