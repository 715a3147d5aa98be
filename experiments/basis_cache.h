#pragma once

#include "experiments/cache.h"
#include "spectral/adapter_method.h"

namespace basis {

/// The basis of a weight out of the cache, where some run has decomposed it before; computed and
/// kept otherwise. Keyed by the weight's content and the choice of basis. `cache` may be null.
BasisSource cached_basis(Cache* cache);

}  // namespace basis
