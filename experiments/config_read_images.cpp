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
    PretrainSettings transformer = pretrain;
    transformer.architecture = "transformer";
    const bool is_its = pretrain_has(transformer, field.key);
    tree_.fail(
        source_of(source, field.key),
        fmt::format("{} means nothing to {}", key_name(field.key, table),
                    is_its ? "a perceptron: \"architecture\" says so"
                           : "a pretraining on images: \"task\" is " + toml_value(pretrain.task)));
  }
}

namespace {

std::string named(const std::string& model) {
  return model.empty() ? "[model]" : "[model." + model + "]";
}

}  // namespace

/// What [pretrain] makes for a model on images is made of a task that is there, and is its end.
void ConfigReader::check_pretrained_on_images(const std::string& model) {
  const std::string task = config_.pretrain_for(model).task;
  if (task.empty()) return;
  const auto fail = [&](const std::string& message) { tree_.fail(tree_.root().source(), message); };
  const ModelSettings& settings = config_.model_named(model);
  if (settings.is_pretrained_here() && settings.checkpoint != "final") {
    fail(
        fmt::format("\"checkpoint\" in {} is {}, and a pretraining on images ([task.{}]) keeps its "
                    "end alone: leave \"final\"",
                    named(model), toml_value(settings.checkpoint), task));
  }
  const auto found = config_.task.find(task);
  if (found != config_.task.end() && found->second.is_images()) return;
  std::vector<std::string> known;
  for (const auto& [name, one] : config_.task) {
    if (one.is_images()) known.push_back(name);
  }
  fail(fmt::format("\"task\" in [pretrain] is {}, and no table [task.{}] names \"images\"{}",
                   toml_value(task), task, did_you_mean(task, known)));
}

/// What is pretrained here reads what the task is; all else is known when the model's folder is
/// read.
void ConfigReader::check_meets(const TaskSettings& task, const std::string& model) {
  if (!names_or_all(task.models, model) || !config_.model_named(model).is_pretrained_here()) return;
  const auto fail = [&](const std::string& message) { tree_.fail(tree_.root().source(), message); };
  const PretrainSettings pretrain = config_.pretrain_for(model);
  const auto word = [](bool is_images) { return is_images ? "images" : "text"; };
  if (task.is_images() != pretrain.is_images()) {
    fail(fmt::format(
        "[task.{}] is {}, and what [pretrain] makes for {} reads {}: name other "
        "\"models\" in [task.{}], or see \"task\" in [pretrain]",
        task.name, word(task.is_images()), named(model), word(pretrain.is_images()), task.name));
  }
  if (!task.is_images()) return;
  const std::int64_t patch = config_.task.at(pretrain.task).patch;
  if (patch == task.patch) return;
  fail(fmt::format(
      "\"patch\" in [task.{}] is {}, and {} is pretrained on patches of {} ([task.{}]): "
      "both must be alike",
      task.name, task.patch, named(model), patch, pretrain.task));
}

/// Floors have no encoder: they train whole, on images, and nobody compares their matrices.
void ConfigReader::check_pixel_methods() {
  for (const std::string& name : config_.methods) {
    const MethodSettings& method = config_.method.at(name);
    if (!method.reads_pixels()) continue;
    const auto fail = [&](const std::string& message) {
      tree_.fail(tree_.root().source(), fmt::format("\"start\" in [method.{}] is {}: {}", name,
                                                    toml_value(method.start), message));
    };
    if (method.kind != "full") fail("it stands in the model's place and takes \"kind\" full");
    for (const std::string& task : config_.tasks) {
      if (!config_.task.at(task).is_images()) fail("[task." + task + "] is no task of images");
    }
    for (const auto& [table, methods] : {std::pair{"spectrum", &config_.spectrum.methods},
                                         std::pair{"sharing", &config_.sharing.methods},
                                         std::pair{"surgery", &config_.surgery.methods},
                                         std::pair{"landscape", &config_.landscape.methods}}) {
      if (contains(*methods, name)) {
        fail(fmt::format("[{}] needs the model itself; name other \"methods\" there", table));
      }
    }
  }
}

/// A perceptron has no matrices of an encoder.
void ConfigReader::check_perceptrons() {
  for (const std::string& model : config_.model_names()) {
    if (!config_.has_pretrain || !config_.pretrain_for(model).is_perceptron()) continue;
    for (const auto& [table, is_asked] : {std::pair{"sharing", !config_.sharing.methods.empty()},
                                          std::pair{"surgery", !config_.surgery.methods.empty()}}) {
      if (!is_asked) continue;
      tree_.fail(tree_.root().source(),
                 fmt::format("[{}] compares matrices of an encoder, and {} is a perceptron, which "
                             "has none: leave the table out",
                             table, named(model)));
    }
  }
}

void ConfigReader::check_images_meet_models() {
  check_pixel_methods();
  check_perceptrons();
  for (const std::string& model : config_.model_names()) {
    if (config_.has_pretrain) check_pretrained_on_images(model);
    for (const std::string& task : config_.tasks) check_meets(config_.task.at(task), model);
  }
}

}  // namespace basis
