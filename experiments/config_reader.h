#pragma once

// For the files that define it alone; not installed.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "experiments/config_read.h"
#include "experiments/contains.h"
#include "experiments/nearest.h"

namespace basis {

template <class Settings>
std::vector<std::string> keys_of() {
  std::vector<std::string> keys;
  for (const Field<Settings>& field : fields<Settings>()) keys.push_back(field.key);
  return keys;
}

/// A config while it is read: fills `config` from `tree` and checks what no single key can tell.
class ConfigReader {
 public:
  ConfigReader(const ConfigTree& tree, Config& config) : tree_(tree), config_(config) {}

  void read();

 private:
  void read_top();
  void read_tasks();
  void read_methods();
  void read_task(const std::string& name, const toml::table& source);
  void read_method(const std::string& name, const toml::table& source);
  void check_own_task(const TaskSettings& task, const toml::table& source);
  void check_text_task(const TaskSettings& task, const toml::table& source);
  void check_text_methods();
  void check_image_task(const TaskSettings& task, const toml::table& source);
  void check_image_pretrain(const PretrainSettings& pretrain, const std::string& table,
                            const toml::table& source);
  void check_pretrained_on_images(const std::string& model);
  void check_meets(const TaskSettings& task, const std::string& model);
  void check_images_meet_models();
  void check_pixel_methods();
  void check_perceptrons();
  void check_method(const MethodSettings& method, const toml::table& source);
  void check_names(const char* key, const std::vector<std::string>& names,
                   const std::vector<std::string>& built_in, const char* table);
  void read_models();
  void read_model(const std::string& name, const toml::table& source);
  void check_table_name(const char* what, const std::string& name, const toml::table& source) const;
  void check_checkpoint(const ModelSettings& model, const toml::table& source);
  void check_pretrain();
  void check_perturbations();
  void check_other_seeds();
  void check_grid();
  void check_emergence();
  void check_landscape();
  void check_robustness();
  void check_attack(const ClaimSettings& claim, const toml::table& source);
  void check_retention();
  bool has_text_pretraining() const;
  void read_claims();
  void check_claimed_models(const ClaimSettings& claim, const toml::table& source);
  void read_claim(const std::string& name, const toml::table& source);
  void check_pretrain_of(const std::string& model);
  template <class Settings>
  void check_analysis(const char* table, const Settings& settings);
  void check_analysed_methods(const toml::table& source, const char* table,
                              const std::vector<std::string>& methods);
  template <class T>
  void check_no_duplicates(const toml::table& table, const char* key, const std::string& name,
                           const std::vector<T>& values);

  /// Where a key stands, or else its table.
  toml::source_region source_of(const toml::table& table, std::string_view key) const {
    const toml::node* const node = table.get(key);
    return node != nullptr ? node->source() : table.source();
  }
  /// A table that has keys of its own and may set those of another one otherwise. `inherited`: what
  /// holds where it does not.
  template <class Settings, class Inherited>
  void read_with_overrides(const toml::table& source, const std::string& table, Settings& settings,
                           Inherited inherited);
  template <class Settings>
  void read_plain(const char* key, Settings& settings) {
    const toml::table* const table = tree_.child_table(tree_.root(), key, key);
    if (table != nullptr) read_table(tree_, *table, key, settings);
  }

  const ConfigTree& tree_;
  Config& config_;
};

template <class Settings, class Inherited>
void ConfigReader::read_with_overrides(const toml::table& source, const std::string& table,
                                       Settings& settings, Inherited inherited) {
  for (const auto& [key, node] : source) {
    if (const Field<Settings>* own = find_field<Settings>(key.str())) {
      read_field(tree_, node, *own, table, settings);
    } else if (const Field<Inherited>* field = find_field<Inherited>(key.str())) {
      read_field(tree_, node, *field, table, inherited);
      settings.overrides[field->key] = field->get(inherited);
    } else {
      std::vector<std::string> known = keys_of<Settings>();
      for (const std::string& other : keys_of<Inherited>()) known.push_back(other);
      fail_unknown_key(tree_, key, table, known);
    }
  }
}

template <class T>
void ConfigReader::check_no_duplicates(const toml::table& table, const char* key,
                                       const std::string& name, const std::vector<T>& values) {
  std::set<T> seen;
  for (const T& value : values) {
    if (seen.insert(value).second) continue;
    tree_.fail(source_of(table, key), fmt::format("{} names {} twice", key_name(key, name),
                                                  toml_value(ConfigValue(value))));
  }
}

}  // namespace basis
