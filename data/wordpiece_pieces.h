#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/wordpiece_splitter.h"

namespace basis {

/// Whole words of up to 16 bytes and their ids, in open addressing.
class WordTable {
 public:
  static constexpr std::size_t max_bytes = 16;

  explicit WordTable(std::size_t words);

  /// A word that is there already gets the new id.
  void insert(const WordKey& key, std::int32_t id);

  /// The id, -1 where the word is not there.
  std::int32_t find(const WordKey& key) const {
    for (std::size_t i = slot_of(key);; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return slots_[i].id;  // an empty slot's key is that of no word
      if (slots_[i].id < 0) return -1;
    }
  }

 private:
  struct Slot {
    WordKey key;
    std::int32_t id = -1;
  };

  std::size_t slot_of(const WordKey& key) const {
    // Multiplication carries every byte into the top bits.
    const std::uint64_t mixed = key.low * 0x9E3779B97F4A7C15u + key.high * 0xC2B2AE3D27D4EB4Fu;
    return static_cast<std::size_t>(mixed >> shift_);
  }

  int shift_;
  std::size_t mask_;
  std::vector<Slot> slots_;
};

/// The vocabulary as a double-array trie (Aoe 1989) with two roots: pieces that begin a word, and
/// pieces that continue one (written "##...").
class PieceTrie {
 public:
  /// Pieces longer than `max_bytes` cannot match and are left out. Of equal pieces the last counts.
  PieceTrie(std::span<const std::string> vocabulary, std::size_t max_bytes);

  /// Cuts a word into its pieces, longest first, and writes their ids; returns how many, 0 where
  /// the word cannot be cut. `ids` has room for one id a character.
  std::size_t cut(std::string_view word, std::int32_t* ids) const;

 private:
  struct Node {
    std::int32_t base = 0;     // child c stands at base + c
    std::int32_t parent = -1;  // -1: free
    std::int32_t id = -1;      // of the piece that ends here
  };
  struct Builder;
  static constexpr std::int32_t no_parent = 0x7FFFFFFF;  // of a root
  static constexpr std::int32_t begin_root = 0;
  static constexpr std::int32_t continue_root = 1;

  std::vector<Node> nodes_;
};

}  // namespace basis
