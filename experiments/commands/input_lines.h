#pragma once

#include <cstdint>
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/wordpiece.h"

namespace basis {

/// Texts, or pairs of them with a tab between, a line each, in batches: what `tokenize`, `predict`
/// and `encode` read.
class InputLines {
 public:
  static constexpr std::size_t default_batch = 1024;

  InputLines(std::istream& input, bool is_pairs, std::size_t batch = default_batch)
      : input_(input), is_pairs_(is_pairs), batch_(batch) {}

  /// Reads the next lines; false at the end. Throws Error "standard input:LINE: ..." where a line
  /// of pairs has no tab, or more than one.
  bool read_batch();

  /// Of the batch; `second` is empty unless pairs are read. Valid until the next read_batch.
  std::span<const std::string_view> first() const { return first_; }
  std::span<const std::string_view> second() const { return second_; }

  /// Ids of one side of the batch, on all threads. Throws Error with the line that is not UTF-8.
  EncodedTexts encode(const WordPieceTokenizer& tokenizer,
                      std::span<const std::string_view> texts) const;

 private:
  std::istream& input_;
  bool is_pairs_;
  std::size_t batch_;
  std::int64_t line_ = 1;  // of the batch's first text
  std::vector<std::string> lines_;
  std::vector<std::string_view> first_;
  std::vector<std::string_view> second_;
};

}  // namespace basis
