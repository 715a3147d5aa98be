#pragma once

#include "experiments/data_root.h"
#include "experiments/stage.h"

namespace basis {

/// Content hashes of what lies under the data root. A task is its training and dev files, a model
/// folder its config, weights and vocabulary. `config` and `data` must outlive it.
StageInputs inputs_under(const Config& config, const DataRoot& data);

}  // namespace basis
