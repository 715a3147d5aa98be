#pragma once

#include "tensor/cpu/kernels/lanes.h"

// Long functions of one element, over blocks of a row.

namespace basis::cpu::BASIS_KERNELS {
namespace {

constexpr Index block_columns = 512;

/// body(first, count) over [0, columns) in blocks.
template <class Body>
inline void for_blocks(Index columns, Body body) {
  for (Index first = 0; first < columns; first += block_columns) {
    body(first, columns - first < block_columns ? columns - first : block_columns);
  }
}

/// x + bias, where there is one.
template <class T, class At>
__attribute__((always_inline)) inline auto biased(InputRow<T> x, const accumulate_t<T>* bias,
                                                  At at) {
  const auto value = load(x, at);
  return bias == nullptr ? value : value + load(bias, at);
}

/// Where a block is computed: in the row itself, or beside it where T is narrow. Rounding is then a
/// loop of its own; behind a function's long chain of operations it would hold up the next ones.
template <class T>
class Block {
 public:
  using A = accumulate_t<T>;

  explicit Block(OutputRow<T> row) : row_(row) {}
  A* numbers() {
    if constexpr (is_narrow<T>) {
      return beside_;
    } else {
      return row_;
    }
  }
  void finish(Index count) {
    if constexpr (is_narrow<T>) {
      const Destination<T> to{row_, false};
      for_lanes<A>(count, [&](auto at) { store(to, at, load(beside_, at)); });
    }
  }

 private:
  OutputRow<T> row_;
  alignas(64) A beside_[is_narrow<T> ? block_columns : 1];
};

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
