#include "experiments/stage_functions.h"

namespace basis {

StageFunctions stage_functions() {
  return {};
}

}  // namespace basis
