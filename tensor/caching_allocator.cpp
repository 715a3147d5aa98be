#include "tensor/caching_allocator.h"

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

namespace basis {

struct CachingAllocator::State {
  Backend* backend = nullptr;
  std::map<std::size_t, std::vector<Block>> free_blocks;  // by class size
  std::size_t requests = 0;
  std::size_t live = 0;
};

namespace {

/// The smallest of the sizes 4, 5, 6, 7 x 2^n that holds `bytes`, at least 256.
std::size_t class_size(std::size_t bytes) {
  const std::size_t wanted = std::max<std::size_t>(bytes, 256);
  const std::size_t step = std::bit_floor(wanted) / 4;
  return (wanted + step - 1) / step * step;
}

}  // namespace

CachingAllocator::CachingAllocator(Backend& backend) : state_(std::make_shared<State>()) {
  state_->backend = &backend;
}

CachingAllocator::~CachingAllocator() = default;

Block CachingAllocator::allocate(std::size_t bytes) {
  const std::size_t size = class_size(bytes);
  std::vector<Block>& available = state_->free_blocks[size];
  Block memory;
  if (available.empty()) {
    memory = state_->backend->reserve(size);
    ++state_->requests;
  } else {
    memory = std::move(available.back());
    available.pop_back();
  }
  state_->live += size;
  std::byte* data = memory.get();
  return Block(data, [owner = state_, memory = std::move(memory), size](std::byte*) mutable {
    owner->live -= size;
    owner->free_blocks[size].push_back(std::move(memory));
  });
}

std::size_t CachingAllocator::system_requests() const {
  return state_->requests;
}
std::size_t CachingAllocator::live_bytes() const {
  return state_->live;
}

}  // namespace basis
