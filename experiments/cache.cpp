#include "experiments/cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "experiments/stage_store.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"

namespace basis {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t hash_digits = 32;

bool is_key(std::string_view name) {
  return name.size() == hash_digits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string hash_of(std::span<const std::byte> bytes) {
  return Hasher().add(bytes).hex();
}

struct CachedFile {
  fs::path path;
  std::uint64_t bytes = 0;
  fs::file_time_type used;
};

/// Every file of the cache; entries are told from what others left half-written by their names.
std::vector<CachedFile> files_of(const fs::path& folder) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // another process may remove it meanwhile
    if (!it->is_regular_file(gone) || gone) continue;
    const CachedFile file{it->path(), it->file_size(gone), it->last_write_time(gone)};
    if (!gone) files.push_back(file);
  }
  return files;
}

}  // namespace

Cache::Cache(fs::path folder, std::uint64_t max_bytes)
    : folder_(std::move(folder)), max_bytes_(max_bytes) {}

fs::path Cache::default_folder() {
  const auto set = [](const char* name) -> const char* {
    const char* const value = std::getenv(name);
    return value != nullptr && value[0] != '\0' ? value : nullptr;
  };
  if (const char* const own = set("BASIS_CACHE")) return own;
  if (const char* const xdg = set("XDG_CACHE_HOME")) return fs::path(xdg) / "basis";
  const char* const home = set("HOME");
  return fs::path(home != nullptr ? home : "/tmp") / ".cache/basis";
}

fs::path Cache::path_of(const std::string& key) const {
  ensure(is_key(key), "a key of the cache is 32 hexadecimal digits");
  return folder_ / key.substr(0, 2) / key;
}

// An entry is the content and then the 32 digits of its hash.
std::optional<CacheEntry> Cache::find(const std::string& key) {
  const fs::path path = path_of(key);
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  try {
    CacheEntry entry{MappedFile::open(path), {}};
    const std::span<const std::byte> all = entry.file->bytes();
    if (all.size() >= hash_digits) {
      entry.bytes = all.first(all.size() - hash_digits);
      const auto* const digits = reinterpret_cast<const char*>(all.last(hash_digits).data());
      if (hash_of(entry.bytes) == std::string_view(digits, hash_digits)) {
        fs::last_write_time(path, fs::file_time_type::clock::now(), error);
        return entry;
      }
    }
  } catch (const Error&) {
    return std::nullopt;
  }
  fs::remove(path, error);
  return std::nullopt;
}

bool Cache::put(const std::string& key, std::span<const std::byte> content) {
  const fs::path path = path_of(key);
  if (content.size() + hash_digits > max_bytes_) return false;
  try {
    make_folder(path.parent_path());
    AtomicFile file(path);
    file.write(content);
    file.write(hash_of(content));
    file.commit();
  } catch (const Error&) {
    return false;
  }
  trim();
  return true;
}

std::uint64_t Cache::size() const {
  std::uint64_t bytes = 0;
  for (const CachedFile& file : files_of(folder_)) bytes += file.bytes;
  return bytes;
}

void Cache::trim() {
  std::vector<CachedFile> files = files_of(folder_);
  std::error_code error;
  const auto an_hour_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::erase_if(files, [&](const CachedFile& file) {
    const bool is_entry = is_key(file.path.filename().string());
    if (!is_entry && file.used < an_hour_ago) fs::remove(file.path, error);
    return !is_entry;
  });
  std::uint64_t bytes = 0;
  for (const CachedFile& file : files) bytes += file.bytes;
  std::sort(files.begin(), files.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.used < b.used; });
  for (const CachedFile& file : files) {
    if (bytes <= max_bytes_) return;
    fs::remove(file.path, error);
    bytes -= file.bytes;
  }
}

}  // namespace basis
