#include "experiments/settings_hash.h"

namespace basis {

void add_value(Hasher& hasher, const ConfigValue& value) {
  struct {
    Hasher& hasher;
    void operator()(bool v) const { hasher.add(v); }
    void operator()(std::int64_t v) const { hasher.add(v); }
    void operator()(double v) const { hasher.add(v); }
    void operator()(const std::string& v) const { hasher.add(v); }
    void operator()(const std::vector<std::int64_t>& v) const {
      hasher.add(v.size());
      for (const std::int64_t one : v) hasher.add(one);
    }
    void operator()(const std::vector<double>& v) const {
      hasher.add(v.size());
      for (const double one : v) hasher.add(one);
    }
    void operator()(const std::vector<std::string>& v) const {
      hasher.add(v.size());
      for (const std::string& one : v) hasher.add(one);
    }
  } visitor{hasher};
  std::visit(visitor, value);
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
