#pragma once

#include "experiments/cache.h"
#include "spectral/adapter_method.h"

namespace basis {

/// The basis of a weight out of the cache, where some run has decomposed it before; computed, by
/// `device` where that is given, and kept otherwise. Keyed by the weight's content, the choice of
/// basis and the device's library, so that the bits do not hang on what ran before. Either may be
/// null.
BasisSource cached_basis(Cache* cache, Decompositions* device = nullptr);

}  // namespace basis
