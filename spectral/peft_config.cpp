#include "spectral/peft_config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include <fmt/format.h>

namespace basis {
namespace {

// ---- Which modules ------------------------------------------------------------------------------

/// A module's name within its layer: "attention.self.query".
std::string name_in_layer(MatrixKind kind) {
  return bert_matrix_name(0, kind).substr(std::string("encoder.layer.0.").size());
}

/// A list of suffixes; a regular expression where the feed-forward's "output.dense" would catch
/// "attention.output.dense" too.
Json target_modules_of(const std::vector<MatrixKind>& targets) {
  auto has = [&](MatrixKind kind) {
    return std::find(targets.begin(), targets.end(), kind) != targets.end();
  };
  const bool is_ambiguous = has(MatrixKind::FfnOut) && !has(MatrixKind::AttentionOutput);
  if (!is_ambiguous) {
    Json names = Json::list();
    for (const MatrixKind kind : targets) names.append(name_in_layer(kind));
    return names;
  }
  std::string choices;
  for (const MatrixKind kind : targets) {
    if (!choices.empty()) choices += '|';
    choices += std::regex_replace(name_in_layer(kind), std::regex("\\."), "\\.");
  }
  return fmt::format(".*\\.layer\\.\\d+\\.({})", choices);
}

/// Says whether a module's name is meant by "target_modules" or "feedforward_modules", by PEFT's
/// rule: a string is a regular expression for the whole name; a list has names or their ends, after
/// a dot.
class ModuleNames {
 public:
  ModuleNames(const JsonKeys& keys, const char* key) {
    if (!keys.require(key).is_text()) {
      names_ = keys.texts(key);
      return;
    }
    const std::string pattern = keys.text(key);
    if (pattern.size() > longest_pattern) {
      keys.fail(key, fmt::format("is an expression of over {} characters", longest_pattern));
    }
    auto flags = std::regex::ECMAScript;
#ifdef __GLIBCXX__
    flags |= std::regex_constants::__polynomial;  // no backtracking without end
#endif
    try {
      expression_ = std::regex(pattern, flags);
    } catch (const std::regex_error& error) {
      keys.fail(key, fmt::format("\"{}\" is no regular expression that is understood here: {}",
                                 pattern, error.what()));
    }
    is_expression_ = true;
  }

  bool contains(const std::string& module) const {
    if (is_expression_) return std::regex_match(module, expression_);
    return std::any_of(names_.begin(), names_.end(), [&](const std::string& name) {
      return module == name || module.ends_with(fmt::format(".{}", name));
    });
  }

  std::vector<MatrixKind> in_layer(std::int64_t layer) const {
    std::vector<MatrixKind> kinds;
    for (const MatrixKind kind : all_matrix_kinds) {
      if (contains(fmt::format("bert.{}", bert_matrix_name(layer, kind)))) kinds.push_back(kind);
    }
    return kinds;
  }

 private:
  static constexpr std::size_t longest_pattern = 1000;

  std::vector<std::string> names_;
  std::regex expression_;
  bool is_expression_ = false;
};

// ---- The config ---------------------------------------------------------------------------------

/// Absent, false, or an empty list or object.
bool is_off(const Json* value) {
  if (value == nullptr) return true;
  if (value->is_bool()) return !value->boolean();
  return (value->is_list() || value->is_object()) && value->size() == 0;
}

void refuse_others(const JsonKeys& keys, std::initializer_list<const char*> settings,
                   const char* what) {
  if (keys.has("task_type") && keys.text("task_type") != "SEQ_CLS") {
    keys.fail("task_type", fmt::format("is \"{}\"; only SEQ_CLS is read", keys.text("task_type")));
  }
  if (keys.has("bias") && keys.text("bias") != "none") {
    keys.fail("bias", fmt::format("is \"{}\"; only \"none\" is read", keys.text("bias")));
  }
  for (const char* key : settings) {
    if (!is_off(keys.find(key))) keys.fail(key, fmt::format("is set; only plain {} is read", what));
  }
}

double read_dropout(const JsonKeys& keys, const char* key) {
  const double dropout = keys.has(key) ? keys.number(key) : 0;
  if (dropout < 0 || dropout >= 1) keys.fail(key, "is outside [0, 1)");
  return dropout;
}

AdapterMethod::Kind read_lora_kind(const JsonKeys& keys) {
  AdapterMethod::Kind kind = AdapterMethod::Kind::Lora;
  const auto choose = [&](const char* key, AdapterMethod::Kind other) {
    if (kind != AdapterMethod::Kind::Lora) {
      keys.fail(key,
                fmt::format("asks for {} in an adapter that is {} already: one of them is read",
                            name_of(other), name_of(kind)));
    }
    kind = other;
  };
  if (keys.is_true("use_rslora")) choose("use_rslora", AdapterMethod::Kind::RsLora);
  if (keys.is_true("use_dora")) choose("use_dora", AdapterMethod::Kind::Dora);
  const char* start_key = "init_lora_weights";
  const Json* start = keys.find(start_key);
  if (start == nullptr || start->is_bool()) return kind;
  const std::string name = keys.text(start_key);
  if (name == "pissa") {
    choose(start_key, AdapterMethod::Kind::Pissa);
  } else if (name != "gaussian" && name != "orthogonal" && name != "eva") {
    // The others (olora, loftq, corda, PiSSA by a random SVD) change the base weights in a way that
    // cannot be had again.
    keys.fail(start_key, fmt::format("is \"{}\", which changes the base weights; convert it to "
                                     "LoRA by PEFT's path_initial_model_for_weight_conversion",
                                     name));
  }
  return kind;
}

AdapterMethod read_lora(const JsonKeys& keys) {
  refuse_others(
      keys,
      {"use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern",
       "exclude_modules", "layers_to_transform", "layers_pattern", "layer_replication",
       "target_parameters", "trainable_token_indices", "megatron_config", "alora_invocation_tokens",
       "arrow_config", "kasa_config", "monteclora_config", "velora_config"},
      "LoRA");
  AdapterMethod method;
  method.kind = read_lora_kind(keys);
  method.alpha = keys.number("lora_alpha");
  if (method.alpha <= 0) keys.fail("lora_alpha", "is not positive");
  if (method.alpha > std::numeric_limits<float>::max()) {
    keys.fail("lora_alpha", "makes a scale beyond f32");
  }
  method.dropout = read_dropout(keys, "lora_dropout");
  return method;
}

AdapterMethod read_vera(const JsonKeys& keys) {
  refuse_others(keys, {"fan_in_fan_out", "layers_to_transform", "layers_pattern"}, "VeRA");
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Vera;
  method.dropout = read_dropout(keys, "vera_dropout");
  return method;
}

/// Throws Error unless inputs are scaled where ours are.
void check_feedforward(const JsonKeys& keys, const std::vector<MatrixKind>& targets,
                       std::int64_t layer) {
  const char* key = "feedforward_modules";
  const std::vector<MatrixKind> stated = ModuleNames(keys, key).in_layer(layer);
  for (const MatrixKind kind : targets) {
    const bool is_stated = std::find(stated.begin(), stated.end(), kind) != stated.end();
    if (is_stated == scales_input(kind)) continue;
    keys.fail(key,
              fmt::format("scales the {} of {} in layer {}; read are adapters that scale its {}",
                          is_stated ? "input" : "output", name_in_layer(kind), layer,
                          is_stated ? "output" : "input"));
  }
}

AdapterMethod read_ia3(const JsonKeys& keys) {
  refuse_others(keys, {"fan_in_fan_out", "exclude_modules"}, "IA3");
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Ia3;
  return method;
}

/// What all kinds have; `config` gets the kind's own keys after it.
Json common_config(const SequenceClassifier& model, const AdapterMethod& method, const char* type,
                   const std::string& base_model_name) {
  Json config = Json::object({{"peft_type", type}, {"task_type", "SEQ_CLS"}});
  config.set("base_model_name_or_path", base_model_name.empty() ? Json() : Json(base_model_name));
  config.set("target_modules", target_modules_of(targets_of(method)));
  Json modules = Json::list({"classifier", "score"});
  const bool has_pooler = model.config().head == "pooler";
  if (has_pooler) modules.append("pooler");
  config.set("modules_to_save", std::move(modules));
  config.set("fan_in_fan_out", false);
  config.set("inference_mode", true);
  for (const char* key : {"revision", "auto_mapping"}) config.set(key, nullptr);
  if (has_factors(method.kind)) {
    config.set("r", method.rank);
    config.set("bias", "none");
    for (const char* key : {"layers_to_transform", "layers_pattern"}) config.set(key, nullptr);
  }
  if (!has_pooler) config.set(peft_head_key, model.config().head);
  return config;
}

Json lora_config(Json config, const AdapterMethod& method) {
  const double alpha = method.alpha > 0 ? method.alpha : static_cast<double>(method.rank);
  // PEFT's own is an integer wherever ours is one.
  const bool is_integer = alpha == std::floor(alpha) && alpha < 1e15;
  config.set("lora_alpha", is_integer ? Json(static_cast<std::int64_t>(alpha)) : Json(alpha));
  config.set("lora_dropout", method.dropout);
  config.set("use_rslora", method.kind == AdapterMethod::Kind::RsLora && method.alpha > 0);
  config.set("use_dora", method.kind == AdapterMethod::Kind::Dora);
  config.set("init_lora_weights", true);
  config.set("rank_pattern", Json::object());
  config.set("alpha_pattern", Json::object());
  config.set("exclude_modules", nullptr);
  return config;
}

Json vera_config(Json config, const AdapterMethod& method) {
  config.set("vera_dropout", method.dropout);
  config.set("d_initial", 0.1);
  config.set("projection_prng_key", static_cast<std::int64_t>(0));
  config.set("save_projection", true);
  config.set("init_weights", true);
  return config;
}

Json ia3_config(Json config, const AdapterMethod& method) {
  std::vector<MatrixKind> inputs = targets_of(method);
  std::erase_if(inputs, [](MatrixKind kind) { return !scales_input(kind); });
  config.set("feedforward_modules", inputs.empty() ? Json::list() : target_modules_of(inputs));
  config.set("init_ia3_weights", true);
  config.set("exclude_modules", nullptr);
  return config;
}

constexpr const char* target_modules_key = "target_modules";

}  // namespace

AdapterMethod read_peft_method(const JsonKeys& keys) {
  const std::string type = keys.text("peft_type");
  AdapterMethod method;
  if (type == "LORA") {
    method = read_lora(keys);
  } else if (type == "VERA") {
    method = read_vera(keys);
  } else if (type == "IA3") {
    method = read_ia3(keys);
  } else {
    keys.fail("peft_type", fmt::format("is \"{}\"; LORA, VERA and IA3 are read", type));
  }
  if (has_factors(method.kind)) method.rank = keys.integer("r", 1, 1 << 20);
  method.targets = ModuleNames(keys, target_modules_key).in_layer(0);
  if (method.targets.empty()) {
    keys.fail(target_modules_key, "matches none of the six matrices of BERT's first layer");
  }
  if (method.kind == AdapterMethod::Kind::Ia3) check_feedforward(keys, method.targets, 0);
  return method;
}

void check_peft_targets(const JsonKeys& keys, const AdapterMethod& method, std::int64_t layers) {
  const ModuleNames modules(keys, target_modules_key);
  for (std::int64_t layer = 1; layer < layers; ++layer) {
    if (modules.in_layer(layer) != method.targets) {
      keys.fail(target_modules_key,
                fmt::format("names other matrices in layer {} than in layer 0", layer));
    }
    if (method.kind == AdapterMethod::Kind::Ia3) check_feedforward(keys, method.targets, layer);
  }
}

Json peft_config_of(const SequenceClassifier& model, const AdapterMethod& method,
                    const std::string& base_model_name) {
  const auto common = [&](const char* type) {
    return common_config(model, method, type, base_model_name);
  };
  if (method.kind == AdapterMethod::Kind::Vera) return vera_config(common("VERA"), method);
  if (method.kind == AdapterMethod::Kind::Ia3) return ia3_config(common("IA3"), method);
  return lora_config(common("LORA"), method);
}

}  // namespace basis
