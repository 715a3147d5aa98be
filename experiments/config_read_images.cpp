#include "experiments/config_reader.h"

namespace basis {

/// A task of images has a set, and keys of [train] but for those that say how texts are cut.
void ConfigReader::check_image_task(const TaskSettings& task, const toml::table& source) {
  const std::string table = "task." + task.name;
  for (const Field<TaskSettings>& field : fields<TaskSettings>()) {
    if (task_has(task, field.key) || source.get(field.key) == nullptr) continue;
    tree_.fail(source_of(source, field.key),
               fmt::format("{} means nothing to a task of images: {} stands beside it",
                           key_name(field.key, table), key_name("images", table)));
  }
  for (const char* key : {"max_length", "grouped"}) {
    if (source.get(key) == nullptr) continue;
    tree_.fail(source_of(source, key),
               fmt::format("{} means nothing to a task of images: \"patch\" makes its tokens, as "
                           "many of every image",
                           key_name(key, table)));
  }
}

/// `pretrain` with what [model.NAME] says otherwise; `source`, called `table`, is the one that is
/// read.
void ConfigReader::check_image_pretrain(const PretrainSettings& pretrain, const std::string& table,
                                        const toml::table& source) {
  if (!pretrain.is_images()) return;
  for (const Field<PretrainSettings>& field : fields<PretrainSettings>()) {
    if (pretrain_has(pretrain, field.key) || source.get(field.key) == nullptr) continue;
    tree_.fail(source_of(source, field.key),
               fmt::format("{} means nothing to a pretraining on images: \"task\" is {}",
                           key_name(field.key, table), toml_value(pretrain.task)));
  }
}

namespace {

std::string named(const std::string& model) {
  return model.empty() ? "[model]" : "[model." + model + "]";
}

}  // namespace

/// What is pretrained here on images reads images of that patch; all else is known when the model's
/// folder is read.
void ConfigReader::check_images_meet_models() {
  const toml::source_region top = tree_.root().source();
  if (config_.has_pretrain) {
    for (const std::string& model : config_.model_names()) {
      const std::string task = config_.pretrain_for(model).task;
      const auto found = config_.task.find(task);
      if (task.empty() || (found != config_.task.end() && found->second.is_images())) continue;
      std::vector<std::string> known;
      for (const auto& [name, one] : config_.task) {
        if (one.is_images()) known.push_back(name);
      }
      tree_.fail(top, fmt::format("\"task\" in [pretrain] is {}, and no table [task.{}] names "
                                  "\"images\"{}",
                                  toml_value(task), task, did_you_mean(task, known)));
    }
  }
  for (const std::string& name : config_.tasks) {
    const TaskSettings& task = config_.task.at(name);
    for (const std::string& model : config_.model_names()) {
      if (!names_or_all(task.models, model) || !config_.model_named(model).is_pretrained_here()) {
        continue;
      }
      const PretrainSettings pretrain = config_.pretrain_for(model);
      if (task.is_images() != pretrain.is_images()) {
        tree_.fail(top, fmt::format("[task.{}] is {}, and what [pretrain] makes for {} reads {}: "
                                    "name other \"models\" in [task.{}], or see \"task\" in "
                                    "[pretrain]",
                                    name, task.is_images() ? "images" : "text", named(model),
                                    pretrain.is_images() ? "images" : "text", name));
      }
      if (!task.is_images() || config_.task.at(pretrain.task).patch == task.patch) continue;
      tree_.fail(top,
                 fmt::format("\"patch\" in [task.{}] is {}, and {} is pretrained on patches of "
                             "{} ([task.{}]): both must be alike",
                             name, task.patch, named(model), config_.task.at(pretrain.task).patch,
                             pretrain.task));
    }
  }
}

}  // namespace basis
