#pragma once

#include "tensor/cpu/kernels/common.h"

// Dropout masks by Philox4x32-10: one call gives the 16-bit draws of 8 neighbouring elements.

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// A 16-bit draw inside the 32-bit words that Philox gives.
using Draw __attribute__((may_alias)) = std::uint16_t;

/// Philox calls made at once.
constexpr Index draw_batch = 16;

/// 16-bit draws 8 i to 8 i + 7 of `words` = those of the call with element block blocks[i]. Works
/// in whole batches: both arrays have room for `count` rounded up to draw_batch.
inline void draw_blocks(std::uint32_t* blocks, Index count, std::uint32_t example,
                        std::uint32_t site, std::uint32_t step, PhiloxKey key,
                        std::uint32_t* words) {
  const Index rounded = (count + draw_batch - 1) / draw_batch * draw_batch;
  for (Index i = count; i < rounded; ++i) blocks[i] = 0;
  for (Index first = 0; first < rounded; first += draw_batch) {
#pragma omp simd
    for (Index i = first; i < first + draw_batch; ++i) {
      const PhiloxCounter c = philox4x32(philox_counter(blocks[i], example, site, step), key);
      words[4 * i + 0] = c.word[0];
      words[4 * i + 1] = c.word[1];
      words[4 * i + 2] = c.word[2];
      words[4 * i + 3] = c.word[3];
    }
  }
}

/// The draws of one row of an activation, in chunks of `chunk` channels.
class RowMask {
 public:
  static constexpr Index chunk = 1024;

  RowMask(Dropout dropout, const StepState* state, MaskPlace place, Index columns)
      : columns_(columns),
        first_block_(static_cast<std::uint32_t>(place.position * ((columns + 7) / 8))),
        example_(place.example),
        site_(dropout.site),
        step_(static_cast<std::uint32_t>(state->step)),
        key_(philox_key(state->seed)) {}

  /// Channels in the chunk that begins at channel `begin`.
  Index count(Index begin) const {
    const Index rest = columns_ - begin;
    return rest < chunk ? rest : chunk;
  }

  /// 16 random bits for each of those channels.
  const Draw* draw(Index begin) {
    const Index calls = (count(begin) + 7) / 8;
    std::uint32_t blocks[chunk / 8];  // a whole number of batches
    for (Index i = 0; i < calls; ++i) {
      blocks[i] = first_block_ + static_cast<std::uint32_t>(begin / 8 + i);
    }
    draw_blocks(blocks, calls, example_, site_, step_, key_, words_);
    return reinterpret_cast<const Draw*>(words_);
  }

 private:
  Index columns_;
  std::uint32_t first_block_, example_, site_, step_;
  PhiloxKey key_;
  alignas(64) std::uint32_t words_[chunk / 2];
};

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
