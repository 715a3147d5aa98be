#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace basis::fuzz {

/// Changes valid inputs at random; the same seed gives the same inputs on every machine.
class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, std::uint64_t seed)
      : seeds_(std::move(seeds)), random_(seed) {}

  /// One of the seeds with one to six changes.
  std::string next();

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  void change(std::string& text);
  void replace_number(std::string& text);
  void splice(std::string& text);
  /// The first eight bytes as the length of the JSON that follows, so that changes of a safetensors
  /// header get past the first check. `tail`: bytes behind the header.
  void mend_length(std::string& text, std::size_t tail);

  std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

}  // namespace basis::fuzz
