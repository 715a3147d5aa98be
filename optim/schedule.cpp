#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace basis {

double Schedule::factor(std::int64_t step) const {
  if (step < warmup_steps) {
    return static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, warmup_steps));
  }
  if (kind == Kind::Constant) return 1;
  const auto span = static_cast<double>(std::max<std::int64_t>(1, total_steps - warmup_steps));
  if (kind == Kind::Linear) return std::max(0.0, static_cast<double>(total_steps - step) / span);
  const double progress = static_cast<double>(step - warmup_steps) / span;
  return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
}

}  // namespace basis
