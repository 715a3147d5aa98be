#pragma once

#include <cstdint>
#include <string_view>

#include "tensor/host_device.h"

namespace basis {

// Counter-based random numbers (Salmon et al., SC 2011: Philox4x32-10). A number is a pure function
// of (seed, step, site, example, element): micro-batches, ranks, packing, threads, devices and
// recomputation never change it, and a mask is recomputed in backward instead of kept.

struct PhiloxKey {
  std::uint32_t low, high;
};
struct PhiloxCounter {
  std::uint32_t word[4];
};

BASIS_HOST_DEVICE constexpr PhiloxKey philox_key(std::uint64_t seed) {
  return {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
}

/// 128 random bits for one counter.
BASIS_HOST_DEVICE constexpr PhiloxCounter philox4x32(PhiloxCounter c, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = static_cast<std::uint64_t>(0xD2511F53u) * c.word[0];
    const std::uint64_t product1 = static_cast<std::uint64_t>(0xCD9E8D57u) * c.word[2];
    c = {{static_cast<std::uint32_t>(product1 >> 32) ^ c.word[1] ^ key.low,
          static_cast<std::uint32_t>(product1),
          static_cast<std::uint32_t>(product0 >> 32) ^ c.word[3] ^ key.high,
          static_cast<std::uint32_t>(product0)}};
    key.low += 0x9E3779B9u;
    key.high += 0xBB67AE85u;
  }
  return c;
}

/// Where a random number is drawn: counter = (element / 8, example, site, step), and element % 8
/// picks a 16-bit lane of the 128 bits (lane l is bits 16(l%2).. of word l/2).
BASIS_HOST_DEVICE constexpr PhiloxCounter philox_counter(std::uint32_t element_block,
                                                         std::uint32_t example, std::uint32_t site,
                                                         std::uint32_t step) {
  return {{element_block, example, site, step}};
}

/// Element number of (position, channel) for an activation of `width` channels.
BASIS_HOST_DEVICE constexpr std::uint64_t row_element(std::uint64_t position, std::uint64_t channel,
                                                      std::uint64_t width) {
  return position * ((width + 7) / 8 * 8) + channel;
}

/// Element number of (head, query, key): independent of the sequence's length; at most 1024 keys.
BASIS_HOST_DEVICE constexpr std::uint64_t attention_element(std::uint64_t head, std::uint64_t query,
                                                            std::uint64_t key) {
  return (head << 20) | (query << 10) | key;
}

/// Dropout at one site of the model: sites are numbered when the model is built. An element is
/// dropped when its 16 random bits are below `threshold` = round(65536 p); kept ones are scaled by
/// 1 / (1 - threshold / 65536).
struct Dropout {
  std::uint32_t site = 0;
  std::uint32_t threshold = 0;

  BASIS_HOST_DEVICE bool is_active() const { return threshold != 0; }
  BASIS_HOST_DEVICE double scale() const { return 65536.0 / (65536.0 - threshold); }
};

/// p in [0, 1); throws Error otherwise.
Dropout make_dropout(double probability, std::uint32_t site);

/// FNV-1a over a name: gives each weight a stream of its own, whatever its place.
constexpr std::uint64_t hash_of_name(std::string_view name, std::uint64_t seed = 0) {
  std::uint64_t hash = seed ^ 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

/// A stream of random numbers for initialisers, shuffles and synthetic data: Philox in order.
/// Two streams differ when their (seed, purpose) differ.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t purpose);
  std::uint32_t next_u32();
  /// Leaves out the next `blocks` times 4 words; a normal() takes 4, a uniform() 2. Only where the
  /// words taken so far are a multiple of 4.
  void skip(std::uint64_t blocks);
  /// Uniform in [0, bound), without bias. bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Standard normal (Box-Muller).
  double normal();

 private:
  PhiloxKey key_;
  PhiloxCounter counter_;
  PhiloxCounter words_{};
  int used_ = 4;
};

}  // namespace basis
