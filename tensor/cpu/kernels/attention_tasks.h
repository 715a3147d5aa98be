#pragma once

#include <initializer_list>

#include "tensor/cpu/kernels/mask.h"
#include "tensor/cpu/kernels/storage.h"
#include "tensor/cpu/kernels/vector.h"

// What attention's two directions share: how (sequence, head) pairs go to threads, and how their
// operands are packed.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// Query rows worked on at once: scores of 48 x 512 f32 are 96 KiB.
constexpr Index tile_rows = 48;

/// Hands out pieces of a workspace, each aligned to 64 bytes. From a null pointer it only counts.
class Carver {
 public:
  explicit Carver(void* data) : address_(reinterpret_cast<std::uintptr_t>(data)) {}
  template <class T>
  T* take(Index count) {
    address_ = (address_ + 63) / 64 * 64;
    T* piece = reinterpret_cast<T*>(address_);
    address_ += static_cast<std::uintptr_t>(count) * sizeof(T);
    return piece;
  }
  std::uintptr_t address() const { return address_; }

 private:
  std::uintptr_t address_;
};

/// The tiles of thread `part`, behind those of the threads before it.
template <class Tiles>
inline Tiles tiles_of(Carver shared, Index part, Index longest, Index width) {
  for (Index before = 0; before < part; ++before) Tiles(shared, longest, width);
  return Tiles(shared, longest, width);
}

/// Sequences sorted by length, longest first, so that threads dealt tasks in turn get equal work.
struct TaskOrder {
  std::int32_t* sequence;  // (B)
  std::int32_t* count;     // (longest + 2)

  TaskOrder(Carver& carver, const SequenceView& sequences)
      : sequence(carver.take<std::int32_t>(sequences.sequences)),
        count(carver.take<std::int32_t>(sequences.longest + 2)) {}

  /// Counting sort; equal lengths stay in order.
  void sort(const SequenceView& sequences) const {
    const Index longest = sequences.longest;
    auto length = [&](Index b) { return sequences.offsets[b + 1] - sequences.offsets[b]; };
    for (Index i = 0; i < longest + 2; ++i) count[i] = 0;
    for (Index b = 0; b < sequences.sequences; ++b) ++count[longest - length(b) + 1];
    for (Index i = 1; i < longest + 2; ++i) count[i] += count[i - 1];
    for (Index b = 0; b < sequences.sequences; ++b) {
      sequence[count[longest - length(b)]++] = static_cast<std::int32_t>(b);
    }
  }
};

/// One head of one sequence.
struct Task {
  Index sequence, head;
  Index begin, length;  // rows of the packed batch
};

/// The rows of q, and of all that has its rows, of a task.
struct QueryRows {
  Index begin, count;
};
inline QueryRows query_rows(const Task& task, const AttentionShape& shape) {
  if (shape.queries == AttentionShape::Queries::FirstRows) return {task.sequence, 1};
  return {task.begin, task.length};
}
/// Rows of q that belong to a sequence.
inline Index query_count(const SequenceView& sequences, const AttentionShape& shape) {
  return shape.queries == AttentionShape::Queries::FirstRows
             ? sequences.sequences
             : sequences.offsets[sequences.sequences];
}

/// A task, whose turn it is in its part, and the one after it; of length 0 after the last.
struct Turn {
  Index part;
  Task task, next;
};

/// body(turn) for every task, dealt to the parts in a snake: 0 1 2 2 1 0 0 1 2 ... A task alone
/// writes its rows and columns, so results do not depend on who does it.
template <class Body>
inline void for_tasks(int threads, const SequenceView& sequences, Index heads, TaskOrder order,
                      Body body) {
  const Index tasks = sequences.sequences * heads;
  const Index tokens = sequences.offsets[sequences.sequences];
  const Index parts = parts_of(threads, tasks, tokens * tokens / (tasks > 0 ? tasks : 1) * 4);
  order.sort(sequences);
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts)) if (parts > 1)
  for (Index part = 0; part < parts; ++part) {
    auto task_of = [&](Index round) {
      const Index place = round * parts + (round % 2 == 0 ? part : parts - 1 - part);
      if (place >= tasks) return Task{};
      const Index b = order.sequence[place / heads];
      const Index begin = sequences.offsets[b];
      return Task{b, place % heads, begin, sequences.offsets[b + 1] - begin};
    };
    for (Index round = 0; round * parts < tasks; ++round) {
      const Task task = task_of(round);
      if (task.length > 0) body(Turn{part, task, task_of(round + 1)});
    }
  }
}

/// One head's columns of a packed (T, A D) matrix of S, from row `begin` on.
template <class S>
inline InputRow<S> head_of(ConstMatrixView x, Index begin, const Task& task, Index head_size) {
  return input_row<S>(x, begin) + task.head * head_size;
}
template <class S>
inline OutputRow<S> head_of(MatrixView x, Index begin, const Task& task, Index head_size) {
  return output_row<S>(x, begin) + task.head * head_size;
}

/// Asks for a task's rows of `keys`, which have a row a token, and of `queries`. They stand a
/// stride of three widths apart, which no prefetcher of the processor follows: without this,
/// packing waits for every row. Into the second cache: the first has this task's tiles.
template <class S>
__attribute__((always_inline)) inline void prefetch_task(
    const Task& task, const AttentionShape& shape, std::initializer_list<ConstMatrixView> keys,
    std::initializer_list<ConstMatrixView> queries) {
  auto prefetch = [&](const ConstMatrixView& x, QueryRows rows) {
    for (Index row = rows.begin; row < rows.begin + rows.count; ++row) {
      prefetch_row<2>(x.as<S>() + row * x.row_stride + task.head * shape.head_size,
                      shape.head_size);
    }
  };
  if (task.length == 0) return;
  for (const ConstMatrixView& x : keys) prefetch(x, {task.begin, task.length});
  for (const ConstMatrixView& x : queries) prefetch(x, query_rows(task, shape));
}

/// to (rows, padded D) = scale * from (rows, D), zeros beside.
template <class T, class From>
inline void pack_rows(From from, Index stride, Index rows, Index width, T scale, T* to) {
  const Index padded_width = padded<T>(width);
  for (Index i = 0; i < rows; ++i) {
    const From s = from + i * stride;
    T* o = to + i * padded_width;
#pragma omp simd
    for (Index c = 0; c < width; ++c) o[c] = s[c] * scale;
    for (Index c = width; c < padded_width; ++c) o[c] = T(0);
  }
}

/// The reverse: to (rows, D) = scale * from (rows, padded D).
template <class T, class To>
inline void unpack_rows(const T* from, Index rows, Index width, T scale, To to, Index stride) {
  const Index padded_width = padded<T>(width);
  for (Index i = 0; i < rows; ++i) {
    const T* s = from + i * padded_width;
    const To o = to + i * stride;
#pragma omp simd
    for (Index c = 0; c < width; ++c) o[c] = s[c] * scale;
  }
}

/// to (padded D, padded L) = from (padded L, padded D) transposed.
template <class T>
inline void transpose(const T* from, Index padded_length, Index padded_width, T* to) {
  constexpr Index W = lanes_of<T>;
  for (Index j = 0; j < padded_length; j += W) {
    for (Index c = 0; c < padded_width; c += W) {
      transpose_block(from + j * padded_width + c, padded_width, to + c * padded_length + j,
                      padded_length);
    }
  }
}

/// Packs rows and zeroes those from `rows` to `padded_rows`.
template <class T, class From>
inline void pack_keys(From from, Index stride, Index rows, Index padded_rows, Index width, T* to) {
  pack_rows(from, stride, rows, width, T(1), to);
  const Index padded_width = padded<T>(width);
  for (Index i = rows * padded_width; i < padded_rows * padded_width; ++i) to[i] = T(0);
}

/// A head's rows of x, packed in `rows` (padded L, padded D) and transposed in `across`.
/// Always inlined: as a call it costs attention's gradient 4 %.
template <class S, class T>
__attribute__((always_inline)) inline void pack_across(ConstMatrixView x, const Task& task,
                                                       Index width, T* rows, T* across) {
  const Index padded_length = padded<T>(task.length);
  pack_keys(head_of<S>(x, task.begin, task, width), x.row_stride, task.length, padded_length, width,
            rows);
  transpose(rows, padded_length, padded<T>(width), across);
}

/// Masks of a tile of query rows against all keys of a sequence.
class TileMask {
 public:
  TileMask(Carver& carver, Index longest)
      : blocks_(carver.take<std::uint32_t>(tile_rows * blocks_of(longest) + draw_batch)),
        words_(carver.take<std::uint32_t>(4 * (tile_rows * blocks_of(longest) + draw_batch))) {}

  /// Draws for query rows [first, first + rows) of a head; does nothing without dropout.
  void draw(Dropout dropout, const StepState* state, std::uint32_t example, Index head, Index first,
            Index rows, Index length) {
    if (!dropout.is_active()) return;
    per_row_ = blocks_of(length);
    Index count = 0;
    for (Index i = 0; i < rows; ++i) {
      const auto element =
          static_cast<std::uint32_t>(attention_element(static_cast<std::uint64_t>(head),
                                                       static_cast<std::uint64_t>(first + i), 0) /
                                     8);
      for (Index b = 0; b < per_row_; ++b)
        blocks_[count++] = element + static_cast<std::uint32_t>(b);
    }
    draw_blocks(blocks_, count, example, dropout.site, static_cast<std::uint32_t>(state->step),
                philox_key(state->seed), words_);
  }
  /// The draws of one of those rows, one a key.
  const Draw* row(Index i) const {
    return reinterpret_cast<const Draw*>(words_ + 4 * i * per_row_);
  }

 private:
  static Index blocks_of(Index length) { return (length + 7) / 8; }

  std::uint32_t* blocks_;
  std::uint32_t* words_;
  Index per_row_ = 0;
};

/// Rows beyond T become zero.
template <class S>
inline void zero_rows_beyond(MatrixView out, Index tokens) {
  if (out.is_absent()) return;
  for (Index row = tokens; row < out.rows; ++row) {
    const OutputRow<S> o = output_row<S>(out, row);
    for (Index j = 0; j < out.columns; ++j) o[j] = accumulate_t<S>(0);
  }
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
