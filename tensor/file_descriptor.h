#pragma once

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>

#include <sys/stat.h>

// What file.cpp, mapped_file.cpp and hash.cpp share. Not installed.
namespace basis::detail {

/// An open file that closes itself.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor();
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }

  int number() const { return number_; }

 private:
  int number_;
};

/// "cannot read runs/a.json: no such file".
[[noreturn]] void throw_file_error(const char* verb, const std::filesystem::path& path,
                                   int error_number);

/// Opens for reading; `status` receives what the file is. Throws Error for what is missing,
/// unreadable or neither a file nor, where `pipes` allows it, a pipe.
FileDescriptor open_for_reading(const std::filesystem::path& path, bool pipes, struct stat& status);

/// Reads up to `size` bytes, 0 at the end. Throws Error.
std::size_t read_some(const FileDescriptor& file, void* into, std::size_t size,
                      const std::filesystem::path& path);

}  // namespace basis::detail
