#pragma once

#include <cstdint>

namespace basis {

/// Learning-rate schedule: a factor by optimiser step, as transformers' get_*_schedule_with_warmup.
struct Schedule {
  enum class Kind : std::uint8_t { Linear, Cosine, Constant };
  Kind kind = Kind::Linear;
  std::int64_t total_steps = 0;
  std::int64_t warmup_steps = 0;  // rises from 0 at step 0

  /// In [0, 1]; `step` counts from 0.
  double factor(std::int64_t step) const;
};

}  // namespace basis
