#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace basis::fuzz {

/// Throws std::logic_error, which ends the test, unless `holds`.
void demand(bool holds, const char* property);

/// A file in memory that has a path: many times faster than one on disk.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void set(std::string_view content) const;
  std::filesystem::path path() const;

 private:
  int descriptor_;
};

/// A folder of such files under names of their own, for readers that go by the name. It is removed
/// at the end.
class MemoryFolder {
 public:
  explicit MemoryFolder(const std::vector<std::string>& names);
  ~MemoryFolder();
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;

  void set(const std::string& name, std::string_view content) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, MemoryFile> files_;
};

/// A safetensors file: the header's JSON and so many bytes of data, all kinds of them.
std::string safetensors_text(const std::string& header, std::size_t data_bytes);

}  // namespace basis::fuzz
