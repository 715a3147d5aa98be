#include "experiments/stage_model.h"

#include "experiments/data_root.h"
#include "experiments/model_folder.h"
#include "experiments/snapshots.h"

namespace basis {

std::filesystem::path start_model_folder(const StageContext& stage) {
  const ModelSettings& model = stage.plan.config.model_named(stage.stage.model);
  if (!model.is_pretrained_here()) return stage.data->require_folder(model.path);
  const bool is_matching = !model.matched_model().empty();
  return model_of_pretraining(stage.inputs.at(0).folder, model,
                              is_matching ? stage.inputs.at(1).folder : std::filesystem::path());
}

std::filesystem::path finetuned_folder(const StageInput& finetune) {
  const bool is_adapter = std::filesystem::exists(finetune.folder / "adapter");
  return finetune.folder / (is_adapter ? "adapter" : "model");
}

std::unique_ptr<SequenceClassifier> load_finetuned(Compute& compute, const StageContext& stage) {
  const std::filesystem::path folder = finetuned_folder(stage.inputs.back());
  if (folder.filename() == "model") return load_classifier(compute, folder, std::nullopt);
  return load_classifier(compute, start_model_folder(stage), folder);
}

}  // namespace basis
