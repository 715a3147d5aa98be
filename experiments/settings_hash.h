#pragma once

#include "experiments/config_fields.h"
#include "tensor/hash.h"

namespace basis {

// Settings as a stage's identity has them (experiments/planner.cpp).

void add_value(Hasher& hasher, const ConfigValue& value);

/// Keys with their values, without those that leave results alone and those that `keeps` refuses.
template <class Settings, class Predicate>
void add_settings(Hasher& hasher, const Settings& settings, Predicate keeps) {
  for (const Field<Settings>& field : fields<Settings>()) {
    if (field.counts == Counts::No || !keeps(field.key)) continue;
    hasher.add(field.key);
    add_value(hasher, field.get(settings));
  }
}

template <class Settings>
void add_settings(Hasher& hasher, const Settings& settings) {
  add_settings(hasher, settings, [](const std::string&) { return true; });
}

/// Only where it is on do a training's keys count: older results keep their names.
template <class Settings>
void add_training(Hasher& hasher, const Settings& settings) {
  add_settings(hasher, settings, [&](const std::string& key) {
    return settings.perturbation != "none" || !key.starts_with("perturbation");
  });
}

/// Settings that mean the same become the same: what another key, or the task, overrules goes back
/// to its default.
TrainSettings normalised(TrainSettings train, const TaskSettings& task);
MethodSettings normalised(MethodSettings method);

}  // namespace basis
