#include <cmath>

#include <fmt/format.h>

#include "experiments/config_fields.h"

namespace basis {
namespace {

std::string toml_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\u{:04X}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string toml_number(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// A part of a dotted key; quoted where a dot or a blank asks for it.
std::string toml_key(const std::string& key) {
  const bool is_bare =
      key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
      std::string::npos;
  return is_bare && !key.empty() ? key : toml_text(key);
}

/// Keys with their values, without those that `keeps` refuses.
template <class Settings, class Predicate>
void write_fields(std::string& out, const Settings& settings, Predicate keeps) {
  for (const Field<Settings>& field : fields<Settings>()) {
    if (!keeps(field.key)) continue;
    out += fmt::format("{} = {}\n", field.key, toml_value(field.get(settings)));
  }
}

template <class Settings>
void write_fields(std::string& out, const Settings& settings) {
  write_fields(out, settings, [](const std::string&) { return true; });
}

void write_overrides(std::string& out, const Overrides& overrides) {
  for (const auto& [key, value] : overrides)
    out += fmt::format("{} = {}\n", key, toml_value(value));
}

void write_task(std::string& out, const TaskSettings& task) {
  if (!task.is_own() && task.overrides.empty() && task.models.empty()) return;
  out += fmt::format("\n[task.{}]\n", toml_key(task.name));
  write_fields(out, task, [&](const std::string& key) {
    if (key == "models" && task.models.empty()) return false;
    return key == "models" || (task.is_own() && task_has(task, key));
  });
  write_overrides(out, task.overrides);
}

void write_method(std::string& out, const MethodSettings& method) {
  out += fmt::format("\n[method.{}]\n", toml_key(method.name));
  write_fields(out, method, [&](const std::string& key) { return method_has(method, key); });
  write_overrides(out, method.overrides);
}

template <class Settings>
void write_table(std::string& out, const char* name, const Settings& settings) {
  out += fmt::format("\n[{}]\n", name);
  write_fields(out, settings);
}

template <class Settings>
void describe(std::string& out, const char* table, const char* meaning, const Settings& settings) {
  out += table[0] == '\0' ? fmt::format("# {}\n", meaning)
                          : fmt::format("\n[{}]  # {}\n", table, meaning);
  for (const Field<Settings>& field : fields<Settings>()) {
    const ConfigValue value = field.get(settings);
    const std::string assignment = fmt::format("{} = {}", field.key, toml_value(value));
    const std::string range =
        field.constraint.text.empty() ? "" : fmt::format(", {}", field.constraint.text);
    out += fmt::format("{:<34} # {}\n{:<34} #   {}{}\n", assignment, field.help, "",
                       type_name(value), range);
  }
}

}  // namespace

const char* type_name(const ConfigValue& value) {
  static constexpr const char* names[] = {
      "true or false",      "an integer",      "a number",         "a text",
      "a list of integers", "a list of texts", "a list of numbers"};
  return names[value.index()];
}

std::string toml_value(const ConfigValue& value) {
  struct {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const { return toml_number(v); }
    std::string operator()(const std::string& v) const { return toml_text(v); }
    std::string operator()(const std::vector<std::int64_t>& v) const {
      return fmt::format("[{}]", fmt::join(v, ", "));
    }
    std::string operator()(std::vector<std::string> v) const {
      for (std::string& text : v) text = toml_text(text);
      return fmt::format("[{}]", fmt::join(v, ", "));
    }
    std::string operator()(const std::vector<double>& v) const {
      std::vector<std::string> texts;
      for (const double number : v) texts.push_back(toml_number(number));
      return fmt::format("[{}]", fmt::join(texts, ", "));
    }
  } visitor;
  return std::visit(visitor, value);
}

std::string to_toml(const Config& config) {
  std::string out;
  write_fields(out, config);
  write_table(out, "model", config.model);
  for (const auto& [name, model] : config.named_model) {
    write_table(out, ("model." + toml_key(name)).c_str(), model);
    write_overrides(out, model.overrides);
  }
  if (config.has_pretrain) {
    out += "\n[pretrain]\n";
    write_fields(out, config.pretrain,
                 [&](const std::string& key) { return pretrain_has(config.pretrain, key); });
  }
  write_table(out, "data", config.data);
  write_table(out, "train", config.train);
  for (const auto& [name, task] : config.task) write_task(out, task);
  for (const auto& [name, method] : config.method) write_method(out, method);
  write_table(out, "grid", config.grid);
  write_table(out, "spectrum", config.spectrum);
  write_table(out, "sharing", config.sharing);
  write_table(out, "emergence", config.emergence);
  write_table(out, "surgery", config.surgery);
  write_table(out, "landscape", config.landscape);
  write_table(out, "retention", config.retention);
  write_table(out, "robustness", config.robustness);
  for (const auto& [name, claim] : config.claim) {
    write_table(out, ("claim." + toml_key(name)).c_str(), claim);
  }
  write_table(out, "report", config.report);
  return out;
}

std::string describe_config() {
  std::string out;
  describe(out, "", "An experiment: KEY = DEFAULT  # meaning, type, range", Config{});
  describe(out, "model", "what is fine-tuned", ModelSettings{});
  out += "\n[model.NAME]  # one of several: the same keys, and those of [pretrain] for it alone\n";
  describe(out, "pretrain", "a BERT of our own; leave the table out for none", PretrainSettings{});
  describe(out, "data", "rows of the synthetic tasks", DataSettings{});
  describe(out, "train", "every fine-tuning, unless its task or its method says otherwise",
           TrainSettings{});
  describe(out, "task.NAME", "a task of your own; for any task, keys of [train] for it alone",
           TaskSettings{});
  describe(out, "method.NAME", "a way to train; keys of [train] for it alone lead those of a task",
           MethodSettings{});
  describe(out, "grid", "how one of a method's learning_rates is chosen", GridSettings{});
  describe(out, "spectrum", "weights before against after fine-tuning", SpectrumSettings{});
  describe(out, "sharing", "drifts of different tasks against each other", SharingSettings{});
  describe(out, "emergence", "snapshots of a pretraining against its end", EmergenceSettings{});
  describe(out, "surgery", "parts of a change, scored one by one", SurgerySettings{});
  describe(out, "landscape", "the score around the parameters of a training", LandscapeSettings{});
  describe(out, "retention", "the score that is kept after another task", RetentionSettings{});
  describe(out, "robustness", "fine-tunings on images under attacks on the pixels",
           RobustnessSettings{});
  describe(out, "claim.NAME", "what the report answers, and by what", ClaimSettings{});
  describe(out, "report", "one HTML file", ReportSettings{});
  return out;
}

}  // namespace basis
