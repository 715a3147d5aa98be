#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tensor/philox.h"

namespace basis {

/// Fisher and Yates, by the RandomStream of (seed, purpose).
template <class T>
void shuffle(std::vector<T>& values, std::uint64_t seed, std::uint64_t purpose) {
  RandomStream random(seed, purpose);
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i)]);
}

}  // namespace basis
