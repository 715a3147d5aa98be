#pragma once

// For tests; not installed.

#include <functional>
#include <vector>

namespace basis::cuda::emulated {

/// Launches to be run later, as a CUDA graph has them.
using Recording = std::vector<std::function<void()>>;

/// Where launches go at present; null: they are run.
extern Recording* current_recording;

/// Runs `work`, or records it.
void run_or_record(std::function<void()> work);

}  // namespace basis::cuda::emulated
