#include "tensor/mapped_file.h"

#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "tensor/file_descriptor.h"

namespace basis {

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  struct stat status {};
  const detail::FileDescriptor file = detail::open_for_reading(path, false, status);
  // Of the file that was opened, not of the one that the name meant a moment ago.
  if (::fstat(file.number(), &status) != 0) detail::throw_file_error("read", path, errno);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.number(),
                  0);
    if (data == MAP_FAILED) detail::throw_file_error("map", path, errno);
  }
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<std::byte*>(data), size));
}

/// The deleter of a part.
struct MappedFile::Part {
  std::shared_ptr<MappedFile> owner;
  std::size_t begin, size;

  // The deleter itself lives as long as the file's table of parts: it must let go of the file.
  void operator()(std::byte*) { std::exchange(owner, nullptr)->give_back(begin, size); }
};

Block MappedFile::part(const std::shared_ptr<MappedFile>& file, std::size_t begin,
                       std::size_t size) {
  const std::lock_guard lock(file->mutex_);
  std::weak_ptr<std::byte>& held = file->parts_[begin];
  if (Block part = held.lock()) return part;
  Block part(file->data_ + begin, Part{file, begin, size});
  held = part;
  return part;
}

void MappedFile::release_pages(const Block& part) {
  if (const Part* of_file = std::get_deleter<Part>(part)) {
    of_file->owner->give_back(of_file->begin, of_file->size);
  }
}

/// Whole pages only: others may hold the rest of the first and the last.
void MappedFile::give_back(std::size_t begin, std::size_t size) const {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = (begin + page - 1) / page * page;
  const std::size_t last = (begin + size) / page * page;
  if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace basis
