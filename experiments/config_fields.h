#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/config.h"

namespace basis {

/// What a value must be beyond its type. Of a list every element must be.
struct Constraint {
  std::string text;  // "at least 1", "linear | cosine | constant"; empty: anything
  std::function<bool(std::int64_t)> holds_integer;
  std::function<bool(double)> holds_number;
  std::function<bool(const std::string&)> holds_text;
  std::vector<std::string> choices;  // where these are all the texts

  /// Throws nothing: false where the value is out of range.
  bool holds(const ConfigValue& value) const;
};

/// Does a change of this key change a stage's numbers? Those that do not leave its identity alone.
enum class Counts : bool { No, Yes };

/// One key of one table: the only place that knows its name, range and meaning. Its type is the
/// member's, its default the value of a default-constructed `Settings`.
template <class Settings>
struct Field {
  using Member =
      std::variant<bool Settings::*, std::int64_t Settings::*, double Settings::*,
                   std::string Settings::*, std::vector<std::int64_t> Settings::*,
                   std::vector<std::string> Settings::*, std::vector<double> Settings::*>;

  std::string key;
  Member member;
  Constraint constraint;
  std::string help;
  Counts counts = Counts::Yes;

  ConfigValue get(const Settings& settings) const;
  /// `value` must hold the member's type.
  void set(Settings& settings, const ConfigValue& value) const;
};

/// The keys of a table, in the order in which they are documented and written.
template <class Settings>
const std::vector<Field<Settings>>& fields();

template <>
const std::vector<Field<Config>>& fields<Config>();
template <>
const std::vector<Field<ModelSettings>>& fields<ModelSettings>();
template <>
const std::vector<Field<PretrainSettings>>& fields<PretrainSettings>();
template <>
const std::vector<Field<DataSettings>>& fields<DataSettings>();
template <>
const std::vector<Field<TrainSettings>>& fields<TrainSettings>();
template <>
const std::vector<Field<TaskSettings>>& fields<TaskSettings>();
template <>
const std::vector<Field<MethodSettings>>& fields<MethodSettings>();
template <>
const std::vector<Field<GridSettings>>& fields<GridSettings>();
template <>
const std::vector<Field<SpectrumSettings>>& fields<SpectrumSettings>();
template <>
const std::vector<Field<SharingSettings>>& fields<SharingSettings>();
template <>
const std::vector<Field<EmergenceSettings>>& fields<EmergenceSettings>();
template <>
const std::vector<Field<SurgerySettings>>& fields<SurgerySettings>();
template <>
const std::vector<Field<LandscapeSettings>>& fields<LandscapeSettings>();
template <>
const std::vector<Field<RobustnessSettings>>& fields<RobustnessSettings>();
template <>
const std::vector<Field<RetentionSettings>>& fields<RetentionSettings>();
template <>
const std::vector<Field<ClaimSettings>>& fields<ClaimSettings>();
template <>
const std::vector<Field<ReportSettings>>& fields<ReportSettings>();

template <class Settings>
const Field<Settings>* find_field(std::string_view key) {
  for (const Field<Settings>& field : fields<Settings>()) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

/// Whether a key of [task.NAME] is one of images alone.
bool is_of_images(std::string_view key);

/// Does a key of [task.NAME] mean something to this task: of images, of plain text or of rows with
/// labels?
bool task_has(const TaskSettings& task, std::string_view key);

/// Does a key of [pretrain] mean something to this pretraining? `corpus` does not to one on images.
bool pretrain_has(const PretrainSettings& pretrain, std::string_view key);

/// Does a key of [method.NAME] mean something to this kind (and form)? `rank` does not to "full".
bool method_has(const MethodSettings& method, std::string_view key);

/// The method that a known name or a kind starts from: its kind, targets and rank.
MethodSettings method_preset(std::string_view name_or_kind);

/// "integer", "number", "text", "list of integers", ...
const char* type_name(const ConfigValue& value);

/// As TOML: `3`, `2e-5`, `"a\"b"`, `["a", "b"]`. Numbers are the shortest that read back the same.
std::string toml_value(const ConfigValue& value);

}  // namespace basis
