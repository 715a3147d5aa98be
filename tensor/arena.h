#pragma once

#include <cstddef>
#include <memory>

#include "tensor/allocator.h"
#include "tensor/backend.h"

namespace basis {

/// Memory of a step: activations, their gradients and scratch. Blocks are placed at the lowest free
/// address that fits and merged with their neighbours when freed, so that the same step always
/// lands at the same addresses and a training step asks the system for nothing. A pure stack would
/// not do: backward frees saved activations beneath the newest gradient.
class Arena : public Allocator {
 public:
  /// One stretch for good. On the CPU `capacity` is address space, whose pages cost nothing until
  /// touched.
  Arena(Backend& backend, std::size_t capacity);
  /// Grows: where nothing fits the device is asked for another stretch, until steps have been as
  /// large as they get. For devices whose memory costs from the moment it is asked for.
  explicit Arena(Backend& backend);
  ~Arena() override;

  Block allocate(std::size_t bytes) override;

  /// Bytes in live blocks, and the highest end that a block ever had, counted over all stretches.
  std::size_t live_bytes() const;
  std::size_t high_water() const;
  /// The highest end of a block since begin_extent, which an empty arena of one stretch may begin:
  /// a block of so many bytes, taken when it is empty again, covers all blocks since.
  bool begin_extent();
  std::size_t extent() const;
  /// Where the first stretch begins; there is one.
  std::byte* begin() const;
  /// Moves when stretches come or are joined: a step's addresses are those of the last one only
  /// while this stands still.
  std::size_t generation() const;
  /// Throws InternalError when a block is still alive: a step must leave nothing behind. Joins the
  /// stretches to one.
  void expect_empty();
  /// Fills every new block with NaN: a test's way to show that kernels write all they own.
  void set_poison(bool is_poisoned);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with live blocks, which may outlast the arena
};

}  // namespace basis
