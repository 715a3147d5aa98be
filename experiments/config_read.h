#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

// For .cpp files only; not installed.
#include <toml++/toml.h>

#include "experiments/config_fields.h"

namespace basis {

/// The tree of a config file and what is left to say about where each part of it came from.
class ConfigTree {
 public:
  /// Parses TOML and lays `key=value` overrides over it, those of its key "reduced" first where
  /// the form is that. Throws Error with the place.
  ConfigTree(std::string_view text, const std::string& file, std::span<const std::string> overrides,
             ConfigForm form);

  const toml::table& root() const { return root_; }

  /// "experiment.toml:14", or "--set train.epochs=0" for what an override brought.
  std::string place(const toml::source_region& source) const;

  /// Throws Error "PLACE: MESSAGE".
  [[noreturn]] void fail(const toml::source_region& source, const std::string& message) const;

  /// A child table, or null where there is none. Throws Error when `key` holds something else.
  const toml::table* child_table(const toml::table& parent, std::string_view key,
                                 const std::string& name) const;

 private:
  void apply_reduced();
  void apply_override(const std::string& text);

  std::string file_;
  toml::table root_;
};

/// The value of one key as the type of `like`. `name` is how messages call it: `"epochs" in
/// [train]`. Throws Error where the type is another or the constraint does not hold.
ConfigValue read_value(const ConfigTree& tree, const toml::node& node, const ConfigValue& like,
                       const Constraint& constraint, const std::string& name);

/// `"epochs" in [train]`; without a table `"seeds"`.
std::string key_name(std::string_view key, const std::string& table);

/// Throws Error: unknown key, the nearest of `known`, or else the table that has such a key.
[[noreturn]] void fail_unknown_key(const ConfigTree& tree, const toml::key& key,
                                   const std::string& table, std::span<const std::string> known);

/// Reads `node` into the member of `settings` that `field` names.
template <class Settings>
void read_field(const ConfigTree& tree, const toml::node& node, const Field<Settings>& field,
                const std::string& table, Settings& settings) {
  field.set(settings, read_value(tree, node, field.get(settings), field.constraint,
                                 key_name(field.key, table)));
}

/// Reads every key of a table that has no others. Throws Error on an unknown key.
template <class Settings>
void read_table(const ConfigTree& tree, const toml::table& source, const std::string& table,
                Settings& settings) {
  for (const auto& [key, node] : source) {
    if (const Field<Settings>* field = find_field<Settings>(key.str())) {
      read_field(tree, node, *field, table, settings);
      continue;
    }
    std::vector<std::string> known;
    for (const Field<Settings>& field : fields<Settings>()) known.push_back(field.key);
    fail_unknown_key(tree, key, table, known);
  }
}

}  // namespace basis
