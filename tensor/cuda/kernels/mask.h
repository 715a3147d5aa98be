#pragma once

#include "tensor/cuda/storage.h"
#include "tensor/philox.h"
#include "tensor/step_state.h"

// Dropout masks by Philox4x32-10: one call gives the 16-bit draws of 8 neighbouring elements
// (tensor/philox.h says where they are drawn).

namespace basis::cuda::BASIS_CUDA_SIDE {

/// The example and position of a packed row.
struct MaskPlace {
  std::uint32_t example;
  std::int64_t position;
};

/// Without offsets row t is example first_example + t at position 0.
__device__ inline MaskPlace mask_place(const SequenceView& sequences, std::int64_t row) {
  if (sequences.offsets == nullptr) {
    return {static_cast<std::uint32_t>(sequences.first_example + row), 0};
  }
  const std::int32_t b = sequences.sequence_of_row[row];
  return {static_cast<std::uint32_t>(sequences.first_example + b), row - sequences.offsets[b]};
}

/// The 8 draws of one call; draw l is bits 16 (l % 2).. of word l / 2.
struct Draws {
  PhiloxCounter drawn;

  __device__ std::uint32_t at(int lane) const {
    // Chosen and not indexed: an index that is no constant would put the words on a stack.
    const std::uint32_t first = lane / 2 % 2 == 0 ? drawn.word[0] : drawn.word[1];
    const std::uint32_t second = lane / 2 % 2 == 0 ? drawn.word[2] : drawn.word[3];
    return (lane < 4 ? first : second) >> (16 * (lane % 2)) & 0xFFFFu;
  }
};

__device__ inline Draws draw_eight(std::uint32_t element_block, std::uint32_t example,
                                   Dropout dropout, const StepState* state) {
  return {philox4x32(
      philox_counter(element_block, example, dropout.site, static_cast<std::uint32_t>(state->step)),
      philox_key(state->seed))};
}

/// What one call draws for attention's probabilities: those of a query and eight keys, `key` being
/// number key % 8 of them.
__device__ inline Draws draw_keys(std::uint32_t example, std::int64_t head, int query, int key,
                                  Dropout dropout, const StepState* state) {
  const std::uint64_t element =
      attention_element(static_cast<std::uint64_t>(head), static_cast<std::uint64_t>(query),
                        static_cast<std::uint64_t>(key));
  return draw_eight(static_cast<std::uint32_t>(element / 8), example, dropout, state);
}

/// What dropout multiplies the probability of (query, key) by.
__device__ inline float attention_mask(std::uint32_t example, std::int64_t head, int query, int key,
                                       Dropout dropout, const StepState* state) {
  if (!dropout.is_active()) return 1.0f;
  const Draws draws = draw_keys(example, head, query, key, dropout, state);
  return draws.at(key % 8) < dropout.threshold ? 0.0f : static_cast<float>(dropout.scale());
}

/// What dropout makes of the values at `place` of rows with so many columns.
template <int N>
__device__ Values<N> dropped_out(Values<N> values, Place<N> place, std::int64_t columns,
                                 Dropout dropout, const SequenceView& sequences,
                                 const StepState* state) {
  const MaskPlace where = mask_place(sequences, place.row);
  const std::int64_t element = where.position * ((columns + 7) / 8 * 8) + place.column;
  const Draws draws =
      draw_eight(static_cast<std::uint32_t>(element / 8), where.example, dropout, state);
  const auto scale = static_cast<float>(dropout.scale());
  const int first = N == 1 ? static_cast<int>(element % 8) : 0;
  for (int i = 0; i < N; ++i) {
    values.at[i] = draws.at(first + i) < dropout.threshold ? 0.0f : values.at[i] * scale;
  }
  return values;
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
