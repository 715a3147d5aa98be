#include "tests/fuzz/fuzz_files.h"

#include <cstdlib>
#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

#include "tests/tensor/safetensors_text.h"

namespace basis::fuzz {

void demand(bool holds, const char* property) {
  if (!holds) throw std::logic_error(property);
}

MemoryFile::MemoryFile() : descriptor_(::memfd_create("basis-fuzz", MFD_CLOEXEC)) {
  demand(descriptor_ >= 0, "a file in memory");
}

MemoryFile::~MemoryFile() {
  ::close(descriptor_);
}

void MemoryFile::set(std::string_view content) const {
  demand(::ftruncate(descriptor_, 0) == 0, "emptied");
  const ssize_t written = ::pwrite(descriptor_, content.data(), content.size(), 0);
  demand(written == static_cast<ssize_t>(content.size()), "written");
}

std::filesystem::path MemoryFile::path() const {
  return "/proc/self/fd/" + std::to_string(descriptor_);
}

MemoryFolder::MemoryFolder(const std::vector<std::string>& names) {
  std::string pattern = (std::filesystem::temp_directory_path() / "basis-fuzz-XXXXXX").string();
  demand(::mkdtemp(pattern.data()) != nullptr, "a folder");
  path_ = pattern;
  for (const std::string& name : names) {
    std::filesystem::create_symlink(files_[name].path(), path_ / name);
  }
}

MemoryFolder::~MemoryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void MemoryFolder::set(const std::string& name, std::string_view content) const {
  files_.at(name).set(content);
}

std::string safetensors_text(const std::string& header, std::size_t data_bytes) {
  std::string text = basis::safetensors_text(header, data_bytes);
  const std::size_t begin = text.size() - data_bytes;
  for (std::size_t i = 0; i < data_bytes; ++i) text[begin + i] = static_cast<char>(i * 37);
  return text;
}

}  // namespace basis::fuzz
