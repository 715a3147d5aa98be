#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "tensor/mapped_file.h"

namespace basis {

/// Bytes out of the cache. They stay valid while `file` lives, whatever the cache removes.
struct CacheEntry {
  std::shared_ptr<MappedFile> file;
  std::span<const std::byte> bytes;  // begins at a page
};

/// What is dear to compute and the same for all runs (bases, tokenised sets), in one folder for all
/// of them. Keys are hashes of everything that the content depends on. Bounded: what was not used
/// for longest goes first. Several processes may use it at once. A damaged entry is as good as
/// none, and a folder that cannot be written only costs time.
class Cache {
 public:
  static constexpr std::uint64_t default_bytes = std::uint64_t{4} << 30;

  explicit Cache(std::filesystem::path folder, std::uint64_t max_bytes = default_bytes);

  /// $BASIS_CACHE, else $XDG_CACHE_HOME/basis, else ~/.cache/basis.
  static std::filesystem::path default_folder();

  const std::filesystem::path& folder() const { return folder_; }

  /// `key`: 32 hexadecimal digits, of a Hasher.
  std::optional<CacheEntry> find(const std::string& key);
  /// False where it could not be kept.
  bool put(const std::string& key, std::span<const std::byte> content);
  /// Bytes of all entries.
  std::uint64_t size() const;

 private:
  std::filesystem::path path_of(const std::string& key) const;
  void trim();

  std::filesystem::path folder_;
  std::uint64_t max_bytes_;
};

}  // namespace basis
