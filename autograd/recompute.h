#pragma once

#include <functional>

#include "autograd/context.h"

namespace basis {

/// y = function(x), of which only x is kept: backward runs the function once more, on a tape of its
/// own, for what it would have kept (Chen et al., arXiv 1604.06174). The gradients have the same
/// bits. `function` must give the same value again: it must not change what it reads.
Variable recomputed(Context&, const Variable& x,
                    std::function<Variable(Context&, const Variable& x)> function);

}  // namespace basis
