#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "tensor/allocator.h"

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

  /// Bytes [begin, begin + size) as memory that keeps the file mapped. Once all who hold them are
  /// gone their pages leave this process's memory (what was written to them is lost), so that
  /// weights which were moved elsewhere do not count twice.
  static Block part(const std::shared_ptr<MappedFile>& file, std::size_t begin, std::size_t size);

  /// The pages of a part leave this process's memory and are read again when touched. What was
  /// written to them is lost. Nothing happens to a Block that is no file's part.
  static void release_pages(const Block& part);

 private:
  struct Part;

  MappedFile(std::byte* data, std::size_t size) : data_(data), size_(size) {}
  void give_back(std::size_t begin, std::size_t size) const;

  std::mutex mutex_;                                       // of parts_
  std::map<std::size_t, std::weak_ptr<std::byte>> parts_;  // held now, by where they begin

  std::byte* data_;
  std::size_t size_;
};

}  // namespace basis
