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
  /// On the CPU `capacity` is address space, whose pages cost nothing until touched. Where memory
  /// is paid for at once, begin with little: when it is full the arena takes another stretch, and
  /// puts one in the place of all once it is empty.
  Arena(Backend& backend, std::size_t capacity);
  ~Arena() override;

  Block allocate(std::size_t bytes) override;

  /// Bytes in live blocks, and the highest end that a block ever had.
  std::size_t live_bytes() const;
  std::size_t high_water() const;
  /// The highest end of a block since begin_extent, which an empty arena of one stretch may begin:
  /// a block of so many bytes, taken when it is empty again, covers all blocks since.
  bool begin_extent();
  std::size_t extent() const;
  /// Where the first stretch begins.
  std::byte* begin() const;
  /// Moves on whenever blocks may stand at other addresses than before.
  std::uint64_t generation() const;
  /// Throws InternalError when a block is still alive: a step must leave nothing behind.
  void expect_empty();
  /// Fills every new block with NaN: a test's way to show that kernels write all they own.
  void set_poison(bool is_poisoned);

 private:
  struct State;
  void grow(std::size_t size);
  void poison(std::byte* begin, std::size_t size);

  std::shared_ptr<State> state_;  // shared with live blocks, which may outlast the arena
};

}  // namespace basis
