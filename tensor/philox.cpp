#include "tensor/philox.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "tensor/error.h"

namespace basis {

Dropout make_dropout(double probability, std::uint32_t site) {
  if (!(probability >= 0 && probability < 1)) {
    throw Error("dropout: probability " + std::to_string(probability) + " is not in [0, 1)");
  }
  const double threshold = std::min(std::round(probability * 65536.0), 65535.0);
  return {site, static_cast<std::uint32_t>(threshold)};
}

RandomStream::RandomStream(std::uint64_t seed, std::uint64_t purpose)
    : key_(philox_key(seed)),
      counter_{{0, 0, static_cast<std::uint32_t>(purpose),
                static_cast<std::uint32_t>(purpose >> 32) ^ 0x80000000u}} {}

std::uint32_t RandomStream::next_u32() {
  if (used_ == 4) {
    words_ = philox4x32(counter_, key_);
    if (++counter_.word[0] == 0) ++counter_.word[1];
    used_ = 0;
  }
  return words_.word[used_++];
}

void RandomStream::skip(std::uint64_t blocks) {
  ensure(used_ == 4, "RandomStream::skip in the middle of a block");
  const std::uint64_t at =
      ((static_cast<std::uint64_t>(counter_.word[1]) << 32) | counter_.word[0]) + blocks;
  counter_.word[0] = static_cast<std::uint32_t>(at);
  counter_.word[1] = static_cast<std::uint32_t>(at >> 32);
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  ensure(bound > 0, "RandomStream::below needs a positive bound");
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;  // a multiple of bound
  for (;;) {
    const std::uint64_t high = next_u32();
    const std::uint64_t value = (high << 32) | next_u32();
    if (value < limit) return value % bound;
  }
}

double RandomStream::uniform() {
  const std::uint64_t high = next_u32() >> 5;
  const std::uint64_t low = next_u32() >> 6;
  return static_cast<double>((high << 26) | low) / 9007199254740992.0;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

}  // namespace basis
