#include "tensor/file.h"

#include <atomic>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "tensor/error.h"
#include "tensor/file_descriptor.h"

namespace basis {
namespace detail {

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) ::close(number_);
}

void throw_file_error(const char* verb, const std::filesystem::path& path, int error_number) {
  std::string reason = std::generic_category().message(error_number);
  if (error_number == ENOENT) reason = "no such file or folder";
  if (error_number == EISDIR) reason = "it is a folder";
  if (error_number == EACCES || error_number == EPERM) reason = "permission denied";
  throw Error(std::string("cannot ") + verb + " " + path.string() + ": " + reason);
}

FileDescriptor open_for_reading(const std::filesystem::path& path, bool pipes,
                                struct stat& status) {
  // The kind is asked before opening: opening a pipe waits for its writer.
  if (::stat(path.c_str(), &status) != 0) throw_file_error("read", path, errno);
  if (S_ISDIR(status.st_mode)) throw_file_error("read", path, EISDIR);
  if (!S_ISREG(status.st_mode) && !(pipes && S_ISFIFO(status.st_mode))) {
    throw Error("cannot read " + path.string() + ": it is not a regular file");
  }
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) throw_file_error("read", path, errno);
  return FileDescriptor(number);
}

std::size_t read_some(const FileDescriptor& file, void* into, std::size_t size,
                      const std::filesystem::path& path) {
  while (true) {
    const ssize_t got = ::read(file.number(), into, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_file_error("read", path, errno);
  }
}

}  // namespace detail

namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 16;

void write_all(int descriptor, const char* from, std::size_t size,
               const std::filesystem::path& path) {
  while (size > 0) {
    const ssize_t written = ::write(descriptor, from, size);
    if (written < 0) {
      if (errno == EINTR) continue;
      detail::throw_file_error("write", path, errno);
    }
    from += written;
    size -= static_cast<std::size_t>(written);
  }
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  struct stat status {};
  const detail::FileDescriptor file = detail::open_for_reading(path, true, status);
  std::string content;
  // One byte more than the size, so that the end shows in the first read of an unchanging file.
  std::size_t room = static_cast<std::size_t>(status.st_size) + 1;
  while (true) {
    const std::size_t filled = content.size();
    content.resize(filled + room);
    const std::size_t got = detail::read_some(file, content.data() + filled, room, path);
    content.resize(filled + got);
    if (got == 0) return content;
    room = got < room ? room - got : buffer_bytes;
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

void append_line(const std::filesystem::path& path, std::string_view line) {
  ensure(line.find('\n') == std::string_view::npos, "append_line: one line");
  const detail::FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (file.number() < 0) detail::throw_file_error("write", path, errno);
  std::string text(line);
  text += '\n';
  write_all(file.number(), text.data(), text.size(), path);
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path_, ignored)) {
    detail::throw_file_error("write", path_, EISDIR);
  }
  if (path_.filename().empty()) detail::throw_file_error("write", path_, ENOENT);
  // Process and count make the name unique here; on a shared file system O_EXCL finds the rest.
  static std::atomic<unsigned> count{0};
  do {
    temporary_ = path_;
    temporary_ += temporary_mark + std::to_string(::getpid()) + "-" + std::to_string(count++);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) detail::throw_file_error("write", path_, errno);
  buffer_.reserve(buffer_bytes);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view text) {
  ensure(descriptor_ >= 0, "AtomicFile::write before commit");
  if (buffer_.size() + text.size() <= buffer_bytes) {
    buffer_.append(text);
    return;
  }
  flush();
  if (text.size() < buffer_bytes) {
    buffer_.append(text);
  } else {
    write_all(descriptor_, text.data(), text.size(), path_);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::flush() {
  write_all(descriptor_, buffer_.data(), buffer_.size(), path_);
  buffer_.clear();
}

void AtomicFile::commit() {
  ensure(descriptor_ >= 0, "AtomicFile::commit once");
  flush();
  // Some file systems tell only here that the disk is full.
  if (::close(std::exchange(descriptor_, -1)) != 0) detail::throw_file_error("write", path_, errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    detail::throw_file_error("write", path_, errno);
  }
  temporary_.clear();
}

}  // namespace basis
