#pragma once

#include <cstddef>
#include <memory>

#include "tensor/allocator.h"
#include "tensor/backend.h"

namespace basis {

/// Memory of what outlives a step: parameters, optimiser state, batches. Freed blocks are kept by
/// size class (four classes an octave) and handed out again.
class CachingAllocator : public Allocator {
 public:
  explicit CachingAllocator(Backend& backend);
  ~CachingAllocator() override;

  Block allocate(std::size_t bytes) override;

  /// How often the system was asked since the start.
  std::size_t system_requests() const;
  std::size_t live_bytes() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace basis
