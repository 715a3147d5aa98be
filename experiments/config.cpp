#include "experiments/config.h"

#include <algorithm>

#include "experiments/config_fields.h"
#include "tensor/error.h"

namespace basis {
namespace {

template <class Settings>
void apply(const Overrides& overrides, Settings& settings) {
  for (const auto& [key, value] : overrides) find_field<Settings>(key)->set(settings, value);
}

template <class Named>
const Named* find(const std::map<std::string, Named>& named, std::string_view name) {
  const auto found = named.find(std::string(name));
  return found == named.end() ? nullptr : &found->second;
}

}  // namespace

std::string ModelSettings::matched_model() const {
  constexpr std::string_view word = "matching ";
  return checkpoint.starts_with(word) ? checkpoint.substr(word.size()) : "";
}

BertSize bert_size_named(std::string_view name) {
  if (name == "tiny") return {128, 2, 2, 512};
  if (name == "mini") return {256, 4, 4, 1024};
  if (name == "small") return {512, 4, 8, 2048};
  if (name == "medium") return {512, 8, 8, 2048};
  if (name == "base") return {768, 12, 12, 3072};
  throw InternalError("the config let size \"" + std::string(name) + "\" through");
}

BertSize PretrainSettings::bert_size() const {
  BertSize chosen = bert_size_named(size);
  if (hidden_size > 0) chosen.hidden_size = hidden_size;
  if (num_hidden_layers > 0) chosen.num_hidden_layers = num_hidden_layers;
  if (num_attention_heads > 0) chosen.num_attention_heads = num_attention_heads;
  if (intermediate_size > 0) chosen.intermediate_size = intermediate_size;
  return chosen;
}

std::int64_t PretrainSettings::planned_steps() const {
  constexpr std::int64_t default_steps = 1000;
  if (steps > 0) return steps;
  if (tokens > 0) return (tokens + tokens_per_step() - 1) / tokens_per_step();
  return minutes > 0 ? 0 : default_steps;
}

PretrainSettings PretrainSettings::resolved() const {
  PretrainSettings settings = *this;
  // A model of images may share [pretrain] with those of text; what is theirs means nothing to it.
  for (const Field<PretrainSettings>& field : fields<PretrainSettings>()) {
    if (!pretrain_has(*this, field.key)) field.set(settings, field.get(PretrainSettings()));
  }
  const BertSize numbers = bert_size();
  settings.hidden_size = numbers.hidden_size;
  settings.num_hidden_layers = numbers.num_hidden_layers;
  settings.num_attention_heads = is_perceptron() ? 0 : numbers.num_attention_heads;
  settings.intermediate_size = is_perceptron() ? 0 : numbers.intermediate_size;
  settings.steps = settings.planned_steps();
  settings.tokens = 0;
  if (learns_vocabulary() && vocabulary_corpora.empty()) settings.vocabulary_corpora = {corpus};
  return settings;
}

std::vector<std::string> Config::model_names() const {
  return models.empty() ? std::vector<std::string>{""} : models;
}

const ModelSettings& Config::model_named(std::string_view model_name) const {
  const ModelSettings* const named = find(named_model, model_name);
  return named == nullptr ? model : *named;
}

PretrainSettings Config::pretrain_for(std::string_view model_name) const {
  PretrainSettings settings = pretrain;
  apply(model_named(model_name).overrides, settings);
  return settings.resolved();
}

TrainSettings Config::train_for(std::string_view task_name, std::string_view method_name) const {
  TrainSettings settings = train;
  if (const TaskSettings* found = find(task, task_name)) apply(found->overrides, settings);
  if (const MethodSettings* found = find(method, method_name)) apply(found->overrides, settings);
  return settings;
}

TrainSettings Config::retention_train() const {
  TrainSettings settings = train_for(retention.task, "");
  const TrainSettings plain;
  settings.perturbation = plain.perturbation;
  settings.perturbation_size = plain.perturbation_size;
  settings.perturbation_relative = plain.perturbation_relative;
  return settings;
}

bool Config::makes_rows(std::string_view task_name) const {
  const TaskSettings* const found = find(task, task_name);
  if (found != nullptr && found->is_images()) return found->images == "synthetic";
  return task_name.starts_with("synthetic-");
}

}  // namespace basis
