#include "experiments/settings_hash.h"

#include <variant>

namespace basis {
namespace {

template <class T>
void add(Hasher& hasher, const T& value) {
  hasher.add(value);
}

template <class T>
void add(Hasher& hasher, const std::vector<T>& values) {
  hasher.add(values.size());
  for (const T& one : values) hasher.add(one);
}

/// Of keys that say where a step takes its gradient.
template <class Settings>
bool counts_as_perturbation(const Settings& settings, const std::string& key) {
  return settings.perturbation != "none" || !key.starts_with("perturbation");
}

}  // namespace

void add_value(Hasher& hasher, const ConfigValue& value) {
  std::visit([&](const auto& one) { add(hasher, one); }, value);
}

void add_training(Hasher& hasher, const TrainSettings& settings) {
  add_settings(hasher, settings,
               [&](const std::string& key) { return counts_as_perturbation(settings, key); });
}

void add_training(Hasher& hasher, const PretrainSettings& settings) {
  add_settings(hasher, settings, [&](const std::string& key) {
    if (key == "architecture") return settings.is_perceptron();
    return counts_as_perturbation(settings, key);
  });
}

TrainSettings normalised(TrainSettings train, const TaskSettings& task) {
  const TrainSettings defaults;
  if (task.is_images()) {
    train.max_length = defaults.max_length;
    train.grouped = defaults.grouped;
  }
  if (train.steps > 0) train.epochs = defaults.epochs;
  if (train.tokens_per_batch > 0) train.batch_size = defaults.batch_size;
  if (train.head_learning_rate == train.learning_rate) train.head_learning_rate = 0;
  if (train.optimizer == "adamw") {
    train.momentum = defaults.momentum;
  } else {
    train.beta1 = defaults.beta1;
    train.beta2 = defaults.beta2;
    train.epsilon = defaults.epsilon;
  }
  if (train.schedule == "constant" && train.warmup_share == 0) train.schedule = defaults.schedule;
  return train;
}

MethodSettings normalised(MethodSettings method) {
  if (method.alpha == static_cast<double>(method.rank)) method.alpha = 0;
  return method;
}

}  // namespace basis
