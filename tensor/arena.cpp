#include "tensor/arena.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace basis {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t mib = std::size_t{1} << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t granularity) {
  return (bytes + granularity - 1) / granularity * granularity;
}

}  // namespace

struct Arena::State {
  struct Segment {
    std::size_t begin, end;
    bool is_free;
  };
  struct Stretch {
    Block memory;
    std::size_t offset = 0;         // bytes of the stretches before it
    std::vector<Segment> segments;  // in order of address, covering all of the memory
  };
  struct Place {
    std::size_t stretch, segment;
  };

  explicit State(Backend& device) : backend(device) {}

  Backend& backend;
  bool grows = false;
  std::vector<Stretch> stretches;
  std::size_t capacity = 0;  // of all stretches
  std::size_t generation = 0;
  std::size_t live = 0;
  std::size_t high_water = 0;
  std::size_t extent = 0;
  bool is_poisoned = false;

  void add_stretch(std::size_t bytes) {
    Stretch stretch{backend.reserve(bytes), capacity, {}};
    stretch.segments.reserve(4096);
    stretch.segments.push_back({0, bytes, true});
    stretches.push_back(std::move(stretch));
    capacity += bytes;
    ++generation;
  }

  /// Throws Error when the device has less than `size` left.
  void grow(std::size_t size) {
    const std::size_t wanted = rounded_up(std::max(size, capacity / 4), 32 * mib);
    const std::size_t least = rounded_up(size, 2 * mib);
    try {
      add_stretch(wanted);
    } catch (const Error&) {
      if (least == wanted) throw;
      add_stretch(least);
    }
  }

  /// Only while no block lives.
  void join_stretches() {
    const std::size_t all = capacity;
    stretches.clear();  // first, so that the device has their memory again
    capacity = 0;
    ++generation;
    try {
      add_stretch(all);
    } catch (const Error&) {
      // Not in one piece: the next step grows again.
    }
  }

  std::optional<Place> find(std::size_t size) const {
    for (std::size_t i = 0; i < stretches.size(); ++i) {
      const std::vector<Segment>& segments = stretches[i].segments;
      const auto segment = std::find_if(segments.begin(), segments.end(), [&](const Segment& s) {
        return s.is_free && s.end - s.begin >= size;
      });
      if (segment == segments.end()) continue;
      return Place{i, static_cast<std::size_t>(segment - segments.begin())};
    }
    return std::nullopt;
  }

  /// Takes the first `size` bytes of a free segment; returns where they begin.
  std::size_t take(const Place& place, std::size_t size) {
    std::vector<Segment>& segments = stretches[place.stretch].segments;
    const auto segment = segments.begin() + static_cast<std::ptrdiff_t>(place.segment);
    const std::size_t begin = segment->begin;
    if (segment->end - begin > size) {
      const Segment rest{begin + size, segment->end, true};
      *segment = {begin, begin + size, false};
      segments.insert(segment + 1, rest);
    } else {
      segment->is_free = false;
    }
    live += size;
    const std::size_t end = stretches[place.stretch].offset + begin + size;
    high_water = std::max(high_water, end);
    extent = std::max(extent, end);
    return begin;
  }

  void release(std::size_t stretch, std::size_t begin) {
    std::vector<Segment>& segments = stretches[stretch].segments;
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

  [[noreturn]] void refuse(std::size_t size, const std::string& device_says) const {
    throw Error("out of memory: a step needs " + std::to_string(size / mib) + " MiB more beside " +
                std::to_string(live / mib) + " MiB in use of " + std::to_string(capacity / mib) +
                " MiB; a smaller batch or micro-batch (batch_size, micro_batch) helps" +
                device_says);
  }
};

Arena::Arena(Backend& backend, std::size_t capacity) : state_(std::make_shared<State>(backend)) {
  state_->add_stretch(capacity / alignment * alignment);
}

Arena::Arena(Backend& backend) : state_(std::make_shared<State>(backend)) {
  state_->grows = true;
}

Arena::~Arena() = default;

Block Arena::allocate(std::size_t bytes) {
  State& state = *state_;
  const std::size_t size = std::max(alignment, rounded_up(bytes, alignment));
  std::optional<State::Place> place = state.find(size);
  if (!place && state.grows) {
    try {
      state.grow(size);
    } catch (const Error& error) {
      state.refuse(size, std::string(" (the device: ") + error.what() + ")");
    }
    place = state.find(size);
  }
  if (!place) state.refuse(size, "");
  const std::size_t begin = state.take(*place, size);
  std::byte* data = state.stretches[place->stretch].memory.get() + begin;
  if (state.is_poisoned) {
    const std::vector<std::byte> poison(size, std::byte{0xFF});
    state.backend.copy_to_device(poison.data(), data, size);
  }
  return Block(data, [owner = state_, stretch = place->stretch, begin](std::byte*) {
    owner->release(stretch, begin);
  });
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
  return state_->stretches.front().memory.get();
}
std::size_t Arena::generation() const {
  return state_->generation;
}
void Arena::expect_empty() {
  ensure(state_->live == 0, "a step leaves its arena empty");
  if (state_->stretches.size() > 1) state_->join_stretches();
}
void Arena::set_poison(bool is_poisoned) {
  state_->is_poisoned = is_poisoned;
}

}  // namespace basis
