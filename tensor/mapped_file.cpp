#include "tensor/mapped_file.h"

#include <sys/mman.h>

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

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace basis
