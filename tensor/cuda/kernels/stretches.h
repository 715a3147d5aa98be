#pragma once

#include <span>

#include "tensor/cuda/storage.h"
#include "tensor/error.h"

// One launch over many stretches of flat memory. They are told by value, so that nothing is copied
// to the device first.

namespace basis::cuda::BASIS_CUDA_SIDE {

constexpr int stretch_threads = 256;
constexpr std::int64_t chunk_elements = std::int64_t{stretch_threads} * pack_size;

/// Up to 64 stretches of whole packs, each cut into chunks that a block works on at a time.
template <class Stretch>
struct Stretches {
  static constexpr int most = 64;

  Stretch stretch[most];
  std::int32_t chunks_before[most + 1];
  int count = 0;

  void add(const Stretch& one, std::int64_t elements) {
    ensure(count < most && elements % pack_size == 0, "a table has room for a stretch of packs");
    if (count == 0) chunks_before[0] = 0;
    const std::int64_t chunks = (elements + chunk_elements - 1) / chunk_elements;
    stretch[count] = one;
    chunks_before[count + 1] = chunks_before[count] + static_cast<std::int32_t>(chunks);
    ++count;
  }
  std::int64_t chunks() const { return count == 0 ? 0 : chunks_before[count]; }

  /// The stretch of a chunk.
  BASIS_HOST_DEVICE int stretch_of(std::int32_t chunk) const {
    int low = 0, high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (chunks_before[middle] <= chunk) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
  /// The first element of thread t's pack in a chunk of that stretch.
  BASIS_HOST_DEVICE std::int64_t element_of(std::int32_t chunk, int of_stretch, int t) const {
    return (chunk - chunks_before[of_stretch]) * chunk_elements + std::int64_t{t} * pack_size;
  }
};

/// use(table) for as many tables as all of `of` take; make(item) gives a Stretch, size(item) its
/// elements.
template <class Stretch, class Item, class Make, class Size, class Use>
void for_tables(std::span<const Item> of, const Make& make, const Size& size, const Use& use) {
  for (std::size_t first = 0; first < of.size(); first += Stretches<Stretch>::most) {
    Stretches<Stretch> table;
    const std::size_t rest = of.size() - first;
    const std::size_t count = rest < Stretches<Stretch>::most ? rest : Stretches<Stretch>::most;
    for (const Item& item : of.subspan(first, count)) table.add(make(item), size(item));
    use(table);
  }
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
