#pragma once

#include <cstddef>
#include <memory>

#include "tensor/allocator.h"
#include "tensor/backend.h"

namespace basis {

/// Memory of a step: activations, their gradients and scratch. One reserved stretch, blocks placed
/// at the lowest free address that fits and merged with their neighbours when freed, so that the
/// same step always lands at the same addresses and a training step asks the system for nothing.
/// A pure stack would not do: backward frees saved activations beneath the newest gradient.
class Arena : public Allocator {
 public:
  /// On the CPU `capacity` is address space, whose pages cost nothing until touched.
  Arena(Backend& backend, std::size_t capacity);
  ~Arena() override;

  Block allocate(std::size_t bytes) override;

  /// Bytes in live blocks, and the highest end that a block ever had.
  std::size_t live_bytes() const;
  std::size_t high_water() const;
  /// Throws InternalError when a block is still alive: a step must leave nothing behind.
  void expect_empty() const;
  /// Fills every new block with NaN: a test's way to show that kernels write all they own.
  void set_poison(bool is_poisoned);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with live blocks, which may outlast the arena
};

}  // namespace basis
