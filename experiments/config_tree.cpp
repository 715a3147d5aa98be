#include <fmt/format.h>

#include "experiments/config_read.h"
#include "experiments/nearest.h"
#include "experiments/toml_keys.h"
#include "tensor/error.h"

namespace basis {
namespace {

/// What stands in the file, in the words of the messages.
const char* type_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or a time";
  }
}

/// Every key of a table moves over; tables go into tables.
void lay_over(const ConfigTree& tree, toml::table& below, toml::table& above) {
  for (auto&& [key, node] : above) {
    toml::node* const there = below.get(key.str());
    if (toml::table* const inner = node.as_table(); inner != nullptr && there != nullptr) {
      if (!there->is_table()) {
        tree.fail(key.source(),
                  fmt::format("\"{}\" is {}, not a table", key.str(), type_of(*there)));
      }
      lay_over(tree, *there->as_table(), *inner);
      continue;
    }
    // Moved, never copied: a copy of a node forgets where it came from.
    node.visit([&, &name = key](auto& value) { below.insert_or_assign(name, std::move(value)); });
  }
}

/// Appends the names of the tables that have this key.
template <class Settings>
void find_tables(std::string_view key, const char* table, std::string& found) {
  if (find_field<Settings>(key) == nullptr) return;
  found += fmt::format("{}[{}]", found.empty() ? "" : " or ", table);
}

}  // namespace

ConfigTree::ConfigTree(std::string_view text, const std::string& file,
                       std::span<const std::string> overrides, ConfigForm form)
    : file_(file) {
  if (const auto line = find_endless_key(text)) {
    throw Error(fmt::format("{}:{}: a key of more than {} parts", file, *line, most_key_parts));
  }
  try {
    root_ = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    fail(error.source(), std::string(error.description()));
  }
  if (form == ConfigForm::Reduced) apply_reduced();
  for (const std::string& one : overrides) apply_override(one);
}

void ConfigTree::apply_reduced() {
  const toml::array* const list = root_["reduced"].as_array();
  if (list == nullptr || list->empty()) {
    throw Error(fmt::format("{}: no reduced form: \"reduced\" lists no key=value texts", file_));
  }
  std::vector<std::string> texts;
  for (const toml::node& one : *list) {
    if (const auto text = one.value<std::string>()) texts.push_back(*text);
  }
  for (const std::string& text : texts) apply_override(text);
}

void ConfigTree::apply_override(const std::string& text) {
  const std::string place_name = "--set " + text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(fmt::format("{}: expected key=value, such as train.epochs=1", place_name));
  }
  if (find_endless_key(text)) {
    throw Error(fmt::format("{}: a key of more than {} parts", place_name, most_key_parts));
  }
  const std::string key = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const bool is_one_line = text.find_first_of("\r\n") == std::string::npos;
  toml::table parsed;
  try {
    if (!is_one_line) throw Error("");
    parsed = toml::parse(fmt::format("{} = {}", key, value), place_name);
  } catch (const std::exception&) {
    // Not TOML: device=cuda means the text "cuda".
    try {
      parsed = toml::parse(fmt::format("{} = {}", key, toml_value(value)), place_name);
    } catch (const toml::parse_error& error) {
      throw Error(fmt::format("{}: {}", place_name, error.description()));
    }
  }
  lay_over(*this, root_, parsed);
}

std::string ConfigTree::place(const toml::source_region& source) const {
  const std::string& path = source.path ? *source.path : file_;
  if (path.starts_with("--set ")) return path;
  return source.begin ? fmt::format("{}:{}", path, source.begin.line) : path;
}

void ConfigTree::fail(const toml::source_region& source, const std::string& message) const {
  throw Error(fmt::format("{}: {}", place(source), message));
}

const toml::table* ConfigTree::child_table(const toml::table& parent, std::string_view key,
                                           const std::string& name) const {
  const toml::node* const node = parent.get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) {
    fail(node->source(),
         fmt::format("\"{}\" must be a table [{}], not {}", key, name, type_of(*node)));
  }
  return node->as_table();
}

std::string key_name(std::string_view key, const std::string& table) {
  return table.empty() ? fmt::format("\"{}\"", key) : fmt::format("\"{}\" in [{}]", key, table);
}

void fail_unknown_key(const ConfigTree& tree, const toml::key& key, const std::string& table,
                      std::span<const std::string> known) {
  std::string hint = did_you_mean(key.str(), known);
  if (hint.empty()) {
    std::string found;
    find_tables<ModelSettings>(key.str(), "model", found);
    find_tables<PretrainSettings>(key.str(), "pretrain", found);
    find_tables<DataSettings>(key.str(), "data", found);
    find_tables<TrainSettings>(key.str(), "train", found);
    find_tables<MethodSettings>(key.str(), "method.NAME", found);
    find_tables<GridSettings>(key.str(), "grid", found);
    find_tables<SpectrumSettings>(key.str(), "spectrum", found);
    find_tables<SharingSettings>(key.str(), "sharing", found);
    find_tables<EmergenceSettings>(key.str(), "emergence", found);
    find_tables<SurgerySettings>(key.str(), "surgery", found);
    find_tables<LandscapeSettings>(key.str(), "landscape", found);
    find_tables<RobustnessSettings>(key.str(), "robustness", found);
    find_tables<RetentionSettings>(key.str(), "retention", found);
    if (!found.empty()) hint = fmt::format("; {} has such a key", found);
  }
  if (hint.empty()) hint = "; `basis config` lists every key";
  const std::string where = table.empty() ? "" : fmt::format(" in [{}]", table);
  tree.fail(key.source(),
            fmt::format("unknown key {}{}{}", toml_value(std::string(key.str())), where, hint));
}

namespace {

/// A node as the type of the value that it is called with; `fits` becomes false where it is
/// another.
struct Converter {
  const toml::node& node;
  bool& fits;

  template <class T>
  ConfigValue operator()(const T&) const {
    return scalar<T>(node);
  }
  template <class T>
  ConfigValue operator()(const std::vector<T>&) const {
    std::vector<T> values;
    const toml::array* const array = node.as_array();
    fits = array != nullptr;
    if (!fits) return values;
    for (const toml::node& element : *array) values.push_back(scalar<T>(element));
    return values;
  }

 private:
  template <class T>
  T scalar(const toml::node& one) const {
    if constexpr (std::is_same_v<T, double>) {
      if (const auto* whole = one.as_integer()) return static_cast<double>(whole->get());
    }
    const auto* const value = one.as<T>();
    fits = fits && value != nullptr;
    return value != nullptr ? value->get() : T{};
  }
};

/// The first text of a value that is not among the choices, with the nearest one.
std::string nearest_choice(const Constraint& constraint, const ConfigValue& value) {
  std::vector<std::string> texts;
  if (const auto* text = std::get_if<std::string>(&value)) texts = {*text};
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) texts = *list;
  for (const std::string& text : texts) {
    if (!constraint.holds(text)) return did_you_mean(text, constraint.choices);
  }
  return "";
}

}  // namespace

ConfigValue read_value(const ConfigTree& tree, const toml::node& node, const ConfigValue& like,
                       const Constraint& constraint, const std::string& name) {
  bool fits = true;
  const ConfigValue value = std::visit(Converter{node, fits}, like);
  if (!fits) {
    const bool wants_list = std::holds_alternative<std::vector<std::int64_t>>(like) ||
                            std::holds_alternative<std::vector<std::string>>(like) ||
                            std::holds_alternative<std::vector<double>>(like);
    const char* const found =
        wants_list && node.is_array() ? "a list of another kind" : type_of(node);
    tree.fail(node.source(), fmt::format("{} must be {}, not {}", name, type_name(like), found));
  }
  if (!constraint.holds(value)) {
    tree.fail(node.source(),
              fmt::format("{} must be {}, not {}{}", name,
                          constraint.text.empty() ? "a finite number" : constraint.text,
                          toml_value(value), nearest_choice(constraint, value)));
  }
  return value;
}

}  // namespace basis
