#include "spectral/peft_folder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <regex>

#include <fmt/format.h>

#include "spectral/adapter_basis_file.h"
#include "spectral/adapter_file_tensors.h"

namespace basis {
namespace {

constexpr const char* head_key = "basis_head";
// In the tensors' metadata, where PEFT does not look: it warns of unknown keys in its config.
constexpr const char* labels_key = "basis_labels";
constexpr const char* problem_type_key = "basis_problem_type";

std::string module_name(std::int64_t layer, MatrixKind kind) {
  return fmt::format("bert.{}", bert_matrix_name(layer, kind));
}

/// "encoder.layer.0.attention.self.query.lora_A" ->
/// "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight".
std::string peft_name(const std::string& name) {
  const bool is_factor = name.ends_with(".lora_A") || name.ends_with(".lora_B");
  const bool is_classifier = name.starts_with("classifier.");
  return fmt::format("base_model.model.{}{}{}", is_classifier ? "" : "bert.", name,
                     is_factor ? ".weight" : "");
}

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

/// Says whether a module's name is a target, by PEFT's rule: a string is a regular expression for
/// the whole name; a list has names or their ends, after a dot.
class TargetModules {
 public:
  explicit TargetModules(const JsonKeys& keys) {
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
      if (contains(module_name(layer, kind))) kinds.push_back(kind);
    }
    return kinds;
  }

  static constexpr const char* key = "target_modules";

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

/// Everything that would make another sum than W + scale · B A.
void refuse_other_than_lora(const JsonKeys& keys) {
  const std::string type = keys.text("peft_type");
  if (type != "LORA") keys.fail("peft_type", fmt::format("is \"{}\"; only LORA is read", type));
  if (keys.has("task_type") && keys.text("task_type") != "SEQ_CLS") {
    keys.fail("task_type", fmt::format("is \"{}\"; only SEQ_CLS is read", keys.text("task_type")));
  }
  if (keys.has("bias") && keys.text("bias") != "none") {
    keys.fail("bias", fmt::format("is \"{}\"; only \"none\" is read", keys.text("bias")));
  }
  for (const char* key : {"use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out",
                          "rank_pattern", "alpha_pattern", "exclude_modules", "layers_to_transform",
                          "layers_pattern", "layer_replication", "target_parameters",
                          "trainable_token_indices", "megatron_config", "alora_invocation_tokens",
                          "arrow_config", "kasa_config", "monteclora_config", "velora_config"}) {
    if (!is_off(keys.find(key))) keys.fail(key, "is set; only plain LoRA is read");
  }
  // Others (pissa, olora, loftq, corda) change the base weights that the adapter stands on.
  const Json* start = keys.find("init_lora_weights");
  if (start != nullptr && !start->is_bool()) {
    const std::string name = keys.text("init_lora_weights");
    if (name != "gaussian" && name != "orthogonal" && name != "eva") {
      keys.fail("init_lora_weights",
                fmt::format("is \"{}\", which changes the base weights; convert it to LoRA by "
                            "PEFT's path_initial_model_for_weight_conversion",
                            name));
    }
  }
}

AdapterMethod read_method(const JsonKeys& keys) {
  refuse_other_than_lora(keys);
  AdapterMethod method;
  method.kind = AdapterMethod::Kind::Lora;
  method.rank = keys.integer("r", 1, 1 << 20);
  method.alpha = keys.number("lora_alpha");
  if (method.alpha <= 0) keys.fail("lora_alpha", "is not positive");
  // alpha / sqrt(r) as alpha' / r.
  if (keys.is_true("use_rslora")) method.alpha *= std::sqrt(static_cast<double>(method.rank));
  if (method.alpha > std::numeric_limits<float>::max()) {
    keys.fail("lora_alpha", "makes a scale beyond f32");
  }
  if (keys.has("lora_dropout")) method.dropout = keys.number("lora_dropout");
  if (method.dropout < 0 || method.dropout >= 1) keys.fail("lora_dropout", "is outside [0, 1)");
  method.targets = TargetModules(keys).in_layer(0);
  if (method.targets.empty()) {
    keys.fail(TargetModules::key, "matches none of the six matrices of BERT's first layer");
  }
  return method;
}

Json config_of(const SequenceClassifier& model, const AdapterMethod& method,
               const std::string& base_model_name) {
  const double alpha = method.alpha > 0 ? method.alpha : static_cast<double>(method.rank);
  Json config = Json::object({{"peft_type", "LORA"}, {"task_type", "SEQ_CLS"}});
  config.set("base_model_name_or_path", base_model_name.empty() ? Json() : Json(base_model_name));
  config.set("r", method.rank);
  // PEFT's own is an integer wherever ours is one.
  const bool is_integer = alpha == std::floor(alpha) && alpha < 1e15;
  config.set("lora_alpha", is_integer ? Json(static_cast<std::int64_t>(alpha)) : Json(alpha));
  config.set("lora_dropout", method.dropout);
  config.set("target_modules", target_modules_of(targets_of(method)));
  Json modules = Json::list({"classifier", "score"});
  const bool has_pooler = model.config().head == "pooler";
  if (has_pooler) modules.append("pooler");
  config.set("modules_to_save", std::move(modules));
  config.set("bias", "none");
  config.set("use_rslora", false);
  config.set("use_dora", false);
  config.set("fan_in_fan_out", false);
  config.set("init_lora_weights", true);
  config.set("inference_mode", true);
  config.set("rank_pattern", Json::object());
  config.set("alpha_pattern", Json::object());
  for (const char* key :
       {"layers_to_transform", "layers_pattern", "exclude_modules", "revision", "auto_mapping"}) {
    config.set(key, nullptr);
  }
  if (!has_pooler) config.set(head_key, model.config().head);
  return config;
}

// ---- The tensors' metadata ----------------------------------------------------------------------

std::map<std::string, std::string> metadata_of(const BertConfig& config) {
  std::map<std::string, std::string> metadata{{"format", "pt"}};
  if (!config.labels.empty())
    metadata[labels_key] = Json::texts(config.labels).dump(2, labels_key) + "\n";
  if (!config.problem_type.empty()) metadata[problem_type_key] = config.problem_type;
  return metadata;
}

void read_metadata(const SafeTensors& file, AdapterInfo& info) {
  const auto& metadata = file.metadata();
  if (const auto found = metadata.find(problem_type_key); found != metadata.end()) {
    info.problem_type = found->second;
  }
  const auto found = metadata.find(labels_key);
  if (found == metadata.end()) return;
  const Json labels = Json::parse(found->second, file.path().string() + ": " + labels_key);
  const auto is_text = [](const Json& label) { return label.is_text(); };
  if (!labels.is_list() || std::ssize(labels.items()) != info.outputs ||
      !std::all_of(labels.items().begin(), labels.items().end(), is_text)) {
    throw Error(fmt::format("{}: {} is not a list of {} strings", file.path().string(), labels_key,
                            info.outputs));
  }
  for (const Json& label : labels.items()) info.labels.push_back(label.text());
}

}  // namespace

bool is_peft_folder(const std::filesystem::path& folder) {
  return read_adapter_config(folder).has("peft_type");
}

void save_peft_lora(const std::filesystem::path& folder, const SequenceClassifier& model,
                    const AdapterMethod& method, const std::string& base_model_name) {
  if (method.kind != AdapterMethod::Kind::Lora) {
    throw Error(
        fmt::format("PEFT has no folder format for a {} adapter: save it as ours, or merge "
                    "it and save the model",
                    name_of(method.kind)));
  }
  check_attached(model, method);
  write_adapter_folder(folder, model, method, peft_name, metadata_of(model.config()),
                       config_of(model, method, base_model_name), BasisFile{});
}

AdapterInfo read_peft_info(const std::filesystem::path& folder) {
  const JsonKeys keys = read_adapter_config(folder);
  AdapterInfo info;
  info.method = read_method(keys);
  info.head = keys.has(head_key) ? keys.text(head_key) : "pooler";
  if (info.head != "mean" && info.head != "pooler") {
    keys.fail(head_key, "is neither \"mean\" nor \"pooler\"");
  }
  const SafeTensors file = open_adapter_tensors(folder);
  const std::string classifier = peft_name("classifier.weight");
  if (!file.contains(classifier) || file.shape(classifier).rank() != 2) {
    throw Error(fmt::format("{}: has no matrix {}; only adapters of sequence classifiers are read",
                            file.path().string(), classifier));
  }
  info.outputs = file.shape(classifier)[0];
  read_metadata(file, info);
  return info;
}

AdapterMethod load_peft_lora(Backend& backend, Allocator& allocator,
                             const std::filesystem::path& folder, SequenceClassifier& model) {
  const AdapterInfo info = read_peft_info(folder);
  check_fits_head(folder, info, model);
  const JsonKeys keys = read_adapter_config(folder);
  const TargetModules modules(keys);
  for (std::int64_t layer = 1; layer < model.config().num_hidden_layers; ++layer) {
    if (modules.in_layer(layer) == info.method.targets) continue;
    keys.fail(TargetModules::key,
              fmt::format("names other matrices in layer {} than in layer 0", layer));
  }
  const SafeTensors file = open_adapter_tensors(folder);
  std::vector<NamedShape> wanted = adapter_tensors_in(folder, model, info.method);
  std::erase_if(wanted, [&](const NamedShape& tensor) {
    return tensor.first.starts_with("pooler.") && !file.contains(peft_name(tensor.first));
  });
  attach_stored(backend, allocator, model, info.method, wanted, file, peft_name);
  return info.method;
}

}  // namespace basis
