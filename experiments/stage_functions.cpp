#include "experiments/stage_functions.h"

#include "experiments/choice.h"
#include "experiments/emergence.h"
#include "experiments/finetune.h"
#include "experiments/landscape.h"
#include "experiments/pretrain.h"
#include "experiments/report.h"
#include "experiments/retention.h"
#include "experiments/robustness.h"
#include "experiments/sharing.h"
#include "experiments/spectrum.h"
#include "experiments/surgery.h"
#include "experiments/text_finetune.h"

namespace basis {

namespace {

StageResult run_any_finetune(StageContext& stage) {
  const bool is_text = stage.plan.config.task.at(stage.stage.task).is_text();
  return is_text ? run_text_finetune(stage) : run_finetune(stage);
}

StageResult run_choice_of_rates(StageContext& stage) {
  return run_choice(stage, run_finetune);
}

}  // namespace

StageFunctions stage_functions() {
  return {{StageKind::Pretrain, run_pretrain},     {StageKind::Finetune, run_any_finetune},
          {StageKind::Grid, run_finetune},         {StageKind::Choice, run_choice_of_rates},
          {StageKind::Spectrum, run_spectrum},     {StageKind::Sharing, run_sharing},
          {StageKind::Emergence, run_emergence},   {StageKind::Surgery, run_surgery},
          {StageKind::Landscape, run_landscape},   {StageKind::Retention, run_retention},
          {StageKind::Robustness, run_robustness}, {StageKind::Report, run_report}};
}

}  // namespace basis
