#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace basis {

/// The whole content of a file (or of a pipe). Throws Error with the path and the reason: missing,
/// a folder, unreadable.
std::string read_file(const std::filesystem::path& path);

/// Replaces `path` by a file of this content in one step: readers see the old file or the new one,
/// never a part. Creates no folders. Throws Error; the old file then stands as it was.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// Adds a line (without its newline) to the end of a file in one write, so that a reader or a
/// second writer sees whole lines only. Creates the file. Throws Error.
void append_line(const std::filesystem::path& path, std::string_view line);

/// write_file_atomically for content that comes in pieces: bytes go to a temporary file beside
/// `path`, which `commit` renames. Without commit the destructor removes it.
///
///     AtomicFile file(path);
///     file.write(header);
///     file.write(data);
///     file.commit();
class AtomicFile {
 public:
  /// In the name of every temporary file: what a killed process may leave behind.
  static constexpr const char* temporary_mark = ".part-";

  /// Throws Error when `path` is a folder or its folder is missing or cannot be written.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws Error with the path and the reason (a full disk, for instance).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Writes what is buffered, closes and renames. Throws Error. At most once.
  void commit();

 private:
  void flush();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::string buffer_;
  int descriptor_ = -1;
};

}  // namespace basis
