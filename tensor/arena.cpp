#include "tensor/arena.h"

#include <algorithm>
#include <string>
#include <vector>

namespace basis {

namespace {
constexpr std::size_t alignment = 64;
}

struct Arena::State {
  struct Segment {
    std::size_t begin, end;
    bool is_free;
  };
  Backend* backend = nullptr;
  Block memory;
  std::size_t capacity = 0;
  std::vector<Segment> segments;  // in order of address, covering all of the memory
  std::size_t live = 0;
  std::size_t high_water = 0;
  bool is_poisoned = false;

  void release(std::size_t begin) {
    auto segment = std::partition_point(segments.begin(), segments.end(),
                                        [&](const Segment& s) { return s.begin < begin; });
    live -= segment->end - segment->begin;
    segment->is_free = true;
    if (auto next = segment + 1; next != segments.end() && next->is_free) {
      segment->end = next->end;
      segments.erase(next);
    }
    if (segment != segments.begin() && (segment - 1)->is_free) {
      (segment - 1)->end = segment->end;
      segments.erase(segment);
    }
  }
};

Arena::Arena(Backend& backend, std::size_t capacity) : state_(std::make_shared<State>()) {
  state_->backend = &backend;
  state_->capacity = capacity / alignment * alignment;
  state_->memory = backend.reserve(state_->capacity);
  state_->segments.reserve(4096);
  state_->segments.push_back({0, state_->capacity, true});
}

Arena::~Arena() = default;

Block Arena::allocate(std::size_t bytes) {
  State& state = *state_;
  const std::size_t size = std::max(alignment, (bytes + alignment - 1) / alignment * alignment);
  auto fits = [&](const State::Segment& s) { return s.is_free && s.end - s.begin >= size; };
  auto segment = std::find_if(state.segments.begin(), state.segments.end(), fits);
  if (segment == state.segments.end()) {
    throw Error("out of memory: a step needs " + std::to_string(size >> 20) + " MiB more beside " +
                std::to_string(state.live >> 20) + " MiB in use of " +
                std::to_string(state.capacity >> 20) +
                " MiB; a smaller batch or micro-batch (batch_size, micro_batch) helps");
  }
  const std::size_t begin = segment->begin;
  if (segment->end - begin > size) {
    const State::Segment rest{begin + size, segment->end, true};
    *segment = {begin, begin + size, false};
    state.segments.insert(segment + 1, rest);
  } else {
    segment->is_free = false;
  }
  state.live += size;
  state.high_water = std::max(state.high_water, begin + size);
  std::byte* data = state.memory.get() + begin;
  if (state.is_poisoned) {
    const std::vector<std::byte> poison(size, std::byte{0xFF});
    state.backend->copy_to_device(poison.data(), data, size);
  }
  return Block(data, [owner = state_, begin](std::byte*) { owner->release(begin); });
}

std::size_t Arena::live_bytes() const {
  return state_->live;
}
std::size_t Arena::high_water() const {
  return state_->high_water;
}
void Arena::expect_empty() const {
  ensure(state_->live == 0, "a step leaves its arena empty");
}
void Arena::set_poison(bool is_poisoned) {
  state_->is_poisoned = is_poisoned;
}

}  // namespace basis
