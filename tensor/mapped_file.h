#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace basis {

/// A file's bytes as memory, read from disk when touched. The file is never changed: whoever writes
/// to these bytes gets a copy of that page of his own. A file that another program cuts short while
/// it is mapped ends the process (SIGBUS); files replaced by rename, as Basis does, are safe.
class MappedFile {
 public:
  /// Throws Error with the path and the reason: missing, not a regular file, unreadable.
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::size_t size() const { return size_; }
  /// Aligned to a page; null for an empty file.
  std::byte* data() const { return data_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(std::byte* data, std::size_t size) : data_(data), size_(size) {}

  std::byte* data_;
  std::size_t size_;
};

}  // namespace basis
