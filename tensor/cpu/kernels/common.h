#pragma once

#include "tensor/cpu/functors.h"
#include "tensor/cpu/kernels/variants.h"

// Helpers of the kernel files. Everything here is in an anonymous namespace or always inlined, so
// that no symbol of one instruction set can stand in for another's.

namespace basis::cpu::BASIS_KERNELS {
namespace {

using Index = std::int64_t;

/// Elements below which a second thread costs more than it brings.
constexpr Index smallest_part = 1 << 14;

template <class T>
struct Accumulate {
  using type = T;
};
template <>
struct Accumulate<BFloat16> {
  using type = float;
};
/// The type that sums over T are kept in.
template <class T>
using accumulate_t = typename Accumulate<T>::type;

/// Into how many parts `count` items of `work` elements each are cut: a function of sizes and
/// threads.
inline Index parts_of(int threads, Index count, Index work) {
  const Index by_work = count * work / smallest_part;
  Index parts = by_work < threads ? by_work : threads;
  if (parts > count) parts = count;
  return parts < 1 ? 1 : parts;
}

/// body(part, begin, end) over a fixed cut of [0, count).
template <class Body>
inline void for_parts(int threads, Index count, Index work, Body body) {
  const Index parts = parts_of(threads, count, work);
  if (parts == 1) {
    body(Index{0}, Index{0}, count);
    return;
  }
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
  for (Index part = 0; part < parts; ++part) {
    body(part, count * part / parts, count * (part + 1) / parts);
  }
}

/// body(row, begin, end) over stretches of columns; a contiguous matrix is one long row 0.
template <class Body>
inline void for_stretches(int threads, Index rows, Index columns, bool is_contiguous, Body body) {
  if (is_contiguous) {
    constexpr Index unit = 64;  // elements: parts meet at cache lines
    const Index count = rows * columns;
    for_parts(threads, (count + unit - 1) / unit, unit, [&](Index, Index begin, Index end) {
      body(Index{0}, begin * unit, end * unit < count ? end * unit : count);
    });
    return;
  }
  for_parts(threads, rows, columns, [&](Index, Index begin, Index end) {
    for (Index row = begin; row < end; ++row) body(row, Index{0}, columns);
  });
}

/// Elements worked on between two requests to the memory.
constexpr Index prefetch_block = 256;

/// Asks for the block after the next one of a stream. AdamW's seven streams run at 50 GB/s with it
/// and at 13 without on Zen 5, whose own prefetcher gives up.
template <class T>
inline void prefetch_ahead(const T* block) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  for (Index i = 2 * prefetch_block; i < 3 * prefetch_block; i += line)
    __builtin_prefetch(block + i);
}

/// Asks the memory for a row, into the first cache or (2) the second.
template <int locality = 3, class T>
inline void prefetch_row(const T* row, Index columns) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  for (Index j = 0; j < columns; j += line) __builtin_prefetch(row + j, 0, locality);
}

/// Where the mask of row t is drawn.
struct MaskPlace {
  std::uint32_t example;
  Index position;
};

inline MaskPlace mask_place(const SequenceView& sequences, Index row) {
  if (sequences.offsets == nullptr) {
    return {static_cast<std::uint32_t>(sequences.first_example + row), 0};
  }
  const std::int32_t sequence = sequences.sequence_of_row[row];
  return {static_cast<std::uint32_t>(sequences.first_example + sequence),
          row - sequences.offsets[sequence]};
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
