#include "experiments/stage_functions.h"

#include "experiments/choice.h"
#include "experiments/emergence.h"
#include "experiments/finetune.h"
#include "experiments/pretrain.h"
#include "experiments/report.h"
#include "experiments/sharing.h"
#include "experiments/spectrum.h"
#include "experiments/surgery.h"

namespace basis {

StageFunctions stage_functions() {
  return {{StageKind::Pretrain, run_pretrain},   {StageKind::Finetune, run_finetune},
          {StageKind::Grid, run_finetune},       {StageKind::Choice, run_choice},
          {StageKind::Spectrum, run_spectrum},   {StageKind::Sharing, run_sharing},
          {StageKind::Emergence, run_emergence}, {StageKind::Surgery, run_surgery},
          {StageKind::Report, run_report}};
}

}  // namespace basis
