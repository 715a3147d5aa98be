#include "experiments/config_reader.h"

namespace basis {

bool ConfigReader::has_text_pretraining() const {
  if (!config_.has_pretrain) return false;
  const std::vector<std::string> models = config_.model_names();
  return std::any_of(models.begin(), models.end(), [&](const std::string& model) {
    return !config_.pretrain_for(model).is_images();
  });
}

/// Methods that are there, and noise that grows.
void ConfigReader::check_landscape() {
  const toml::table* const source = tree_.root()["landscape"].as_table();
  if (source == nullptr) return;
  const LandscapeSettings& settings = config_.landscape;
  check_analysed_methods(*source, "landscape", settings.methods);
  check_no_duplicates(*source, "kinds", "landscape", settings.kinds);
  if (settings.pretrained && !has_text_pretraining()) {
    tree_.fail(source_of(*source, "pretrained"),
               key_name("pretrained", "landscape") +
                   " needs a table [pretrain] that trains on text: a pretraining on images keeps "
                   "no head to score with");
  }
  for (const auto& [key, sigmas] : {std::pair{"sigmas", &settings.sigmas},
                                    std::pair{"relative_sigmas", &settings.relative_sigmas}}) {
    const bool is_ascending =
        std::is_sorted(sigmas->begin(), sigmas->end(), std::less_equal<>()) && !sigmas->empty();
    if (is_ascending) continue;
    tree_.fail(
        source_of(*source, key),
        key_name(key, "landscape") + " must ascend: a basin ends where noise grows too large");
  }
}

/// Full fine-tunings, and another task that has rows with labels.
void ConfigReader::check_retention() {
  const toml::table* const source = tree_.root()["retention"].as_table();
  if (source == nullptr) return;
  const RetentionSettings& settings = config_.retention;
  const auto fail = [&](const char* key, const std::string& message) {
    tree_.fail(source_of(*source, key), key_name(key, "retention") + message);
  };
  check_analysed_methods(*source, "retention", settings.methods);
  for (const std::string& name : settings.methods) {
    if (config_.method.at(name).kind == "full") continue;
    fail("methods",
         fmt::format(" names \"{}\", which is of kind {}: another task trains the weights "
                     "themselves, so they must be what was fine-tuned",
                     name, config_.method.at(name).kind));
  }
  if (settings.methods.empty()) return;
  std::vector<std::string> known = known_tasks();
  for (const auto& [name, task] : config_.task) known.push_back(name);
  if (!contains(known, settings.task)) {
    fail("task", fmt::format(" must name the other task, not {}{}", toml_value(settings.task),
                             did_you_mean(settings.task, known)));
  }
  TaskSettings& task = config_.task[settings.task];
  task.name = settings.task;
  if (task.is_text()) fail("task", fmt::format(" needs labels, and {} is plain text", task.name));
}

}  // namespace basis
