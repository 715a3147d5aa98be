#pragma once

#include <cstdint>

namespace basis {

/// What changes from step to step, in one struct in the backend's memory that kernels read through
/// a pointer: a captured CUDA graph stays valid and no step waits for the host.
struct StepState {
  static constexpr int max_groups = 8;

  // Written by the host.
  std::uint64_t seed = 0;                 // of the run; with `step` the key of every random number
  std::uint64_t step = 0;                 // 0 for the first optimiser step
  double learning_rate[max_groups] = {};  // by parameter group
  double bias_correction1 = 1;            // 1 - beta1^(step + 1)
  double bias_correction2 = 1;            // 1 - beta2^(step + 1)
  // Written by Backend::update_clip.
  double gradient_norm = 0;      // global 2-norm before clipping
  double clip_factor = 1;        // min(1, clip_norm / gradient_norm)
  std::int32_t skip_update = 0;  // 1: a gradient was not finite; until the host sets it back to 0
                                 // the optimiser does nothing
};

}  // namespace basis
