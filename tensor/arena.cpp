#include "tensor/arena.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

namespace basis {

namespace {
constexpr std::size_t alignment = 64;
constexpr std::size_t stretch_unit = std::size_t{32} << 20;
}  // namespace

struct Arena::State {
  struct Segment {
    std::byte* begin;
    std::byte* end;
    bool is_free;
    bool opens_stretch;  // never merged with the one before it

    std::size_t size() const { return static_cast<std::size_t>(end - begin); }
  };
  Backend* backend = nullptr;
  std::vector<Block> stretches;
  std::size_t capacity = 0;
  std::vector<Segment> segments;  // stretch by stretch, in order of address within one
  std::size_t live = 0;
  std::size_t high_water = 0;
  std::size_t extent = 0;
  std::uint64_t generation = 0;
  bool is_poisoned = false;

  void add_stretch(std::size_t bytes);
  std::vector<Segment>::iterator room_for(std::size_t size);
  void release(std::byte* begin);
  void unite_stretches();
  /// Bytes of all stretches up to this address of the last block.
  std::size_t end_of(const std::byte* end) const;
};

std::size_t Arena::State::end_of(const std::byte* end) const {
  std::size_t before = 0;
  for (const Segment& segment : segments) {
    if (segment.begin < end && end <= segment.end) {
      return before + static_cast<std::size_t>(end - segment.begin);
    }
    before += segment.size();
  }
  return before;
}

void Arena::State::add_stretch(std::size_t bytes) {
  stretches.push_back(backend->reserve(bytes));
  std::byte* begin = stretches.back().get();
  segments.push_back({begin, begin + bytes, true, true});
  capacity += bytes;
  ++generation;
}

std::vector<Arena::State::Segment>::iterator Arena::State::room_for(std::size_t size) {
  return std::find_if(segments.begin(), segments.end(),
                      [&](const Segment& s) { return s.is_free && s.size() >= size; });
}

void Arena::State::release(std::byte* begin) {
  const auto segment = std::find_if(segments.begin(), segments.end(),
                                    [&](const Segment& s) { return s.begin == begin; });
  live -= segment->size();
  segment->is_free = true;
  if (auto next = segment + 1; next != segments.end() && next->is_free && !next->opens_stretch) {
    segment->end = next->end;
    segments.erase(next);
  }
  if (segment != segments.begin() && !segment->opens_stretch && (segment - 1)->is_free) {
    (segment - 1)->end = segment->end;
    segments.erase(segment);
  }
}

void Arena::State::unite_stretches() {
  if (stretches.size() == 1 || live > 0) return;
  const std::size_t all = capacity;
  segments.clear();
  stretches.clear();  // first: the device may not have room for both
  capacity = 0;
  add_stretch(all);
}

Arena::Arena(Backend& backend, std::size_t capacity) : state_(std::make_shared<State>()) {
  state_->backend = &backend;
  state_->segments.reserve(4096);
  state_->add_stretch(std::max(alignment, capacity / alignment * alignment));
}

Arena::~Arena() = default;

namespace {

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return std::max(unit, (bytes + unit - 1) / unit * unit);
}

}  // namespace

Block Arena::allocate(std::size_t bytes) {
  State& state = *state_;
  const std::size_t size = round_up(bytes, alignment);
  auto segment = state.room_for(size);
  if (segment == state.segments.end()) {
    grow(size);
    segment = state.room_for(size);
  }
  std::byte* const begin = segment->begin;
  if (segment->size() > size) {
    const State::Segment rest{begin + size, segment->end, true, false};
    *segment = {begin, begin + size, false, segment->opens_stretch};
    state.segments.insert(segment + 1, rest);
  } else {
    segment->is_free = false;
  }
  state.live += size;
  const std::size_t end = state.end_of(begin + size);
  state.high_water = std::max(state.high_water, end);
  state.extent = std::max(state.extent, end);
  if (state.is_poisoned) poison(begin, size);
  return Block(begin, [owner = state_](std::byte* p) { owner->release(p); });
}

/// A quarter more than there is, or what is needed.
void Arena::grow(std::size_t size) {
  State& state = *state_;
  try {
    if (state.backend->device() == DeviceKind::Cpu) throw Error("all address space is taken");
    state.add_stretch(round_up(std::max(size, state.capacity / 4), stretch_unit));
  } catch (const Error& error) {
    throw Error("out of memory: a step needs " + std::to_string(size >> 20) + " MiB more beside " +
                std::to_string(state.live >> 20) + " MiB in use of " +
                std::to_string(state.capacity >> 20) +
                " MiB; a smaller batch or micro-batch (batch_size, micro_batch) helps (" +
                error.what() + ")");
  }
}

void Arena::poison(std::byte* begin, std::size_t size) {
  if (state_->backend->device() == DeviceKind::Cpu) {
    std::memset(begin, 0xFF, size);
    return;
  }
  // All ones or nearly: NaN in every float type, whichever half of it is read.
  const double nan = std::bit_cast<double>(~std::uint64_t{0});
  const auto count = static_cast<std::int64_t>(size / sizeof(float));
  state_->backend->fill(nan, {begin, DType::F32, 1, count, count});
}

std::size_t Arena::live_bytes() const {
  return state_->live;
}
std::size_t Arena::high_water() const {
  return state_->high_water;
}
bool Arena::begin_extent() {
  state_->extent = 0;
  return state_->live == 0 && state_->stretches.size() == 1;
}
std::size_t Arena::extent() const {
  return state_->extent;
}
std::byte* Arena::begin() const {
  return state_->stretches.front().get();
}
std::uint64_t Arena::generation() const {
  return state_->generation;
}
void Arena::expect_empty() {
  ensure(state_->live == 0, "a step leaves its arena empty");
  state_->unite_stretches();
}
void Arena::set_poison(bool is_poisoned) {
  state_->is_poisoned = is_poisoned;
}

}  // namespace basis
