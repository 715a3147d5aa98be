#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace basis {

struct Paragraph {
  std::string text;
  std::int64_t line = 0;         // from 1
  bool begins_document = false;  // first after an empty line or the file's start
};

/// Reads a text corpus paragraph by paragraph: `.txt` or `.zst` (zstd), UTF-8, a paragraph a line,
/// an empty line between documents. Memory stays at a few hundred KiB beside the longest line and,
/// for zstd, its window (128 MiB at most).
class CorpusReader {
 public:
  static constexpr std::size_t longest_line = std::size_t{16} << 20;  // bytes

  /// Throws Error for a file that cannot be read or has another ending.
  explicit CorpusReader(const std::filesystem::path& path);
  ~CorpusReader();
  CorpusReader(CorpusReader&&) noexcept;
  CorpusReader& operator=(CorpusReader&&) noexcept;

  /// The next paragraph, or nothing at the end. Throws Error with path and line for a compressed
  /// file that is cut or damaged, invalid UTF-8, or a line above `longest_line`.
  std::optional<Paragraph> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace basis
