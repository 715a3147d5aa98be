#pragma once

// For tests; not installed.

namespace basis::cuda::emulated {

/// Decompositions that emulated devices of this process have done so far.
int solved_decompositions();

}  // namespace basis::cuda::emulated
