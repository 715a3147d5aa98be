#pragma once

#include "experiments/runner.h"

namespace basis {

/// What computes each kind of stage.
StageFunctions stage_functions();

}  // namespace basis
