// File: a Header, then ids, type_ids, offsets, labels, targets as they stand in memory, then the
// XXH3-128 of all before it. Little-endian, as every machine that Basis runs on.
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <string_view>

#include <xxhash.h>

#include "data/dataset.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Header {
  std::array<char, 8> magic = {'B', 'A', 'S', 'I', 'S', 'D', 'S', '1'};
  std::uint64_t tokens = 0;
  std::uint64_t rows = 0;
  std::uint64_t targets = 0;
};

template <class T>
void put(std::string& bytes, const std::vector<T>& values) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
void take(std::string_view& bytes, std::uint64_t count, std::vector<T>& values) {
  values.resize(count);
  const std::size_t size = count * sizeof(T);
  if (size > 0) std::memcpy(values.data(), bytes.data(), size);
  bytes.remove_prefix(size);
}

XXH128_canonical_t hash_of(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  return canonical;
}

/// Bytes between header and hash; nothing where the counts cannot be true of `file_bytes`.
bool counts_fit(const Header& header, std::uint64_t file_bytes) {
  if (header.tokens > file_bytes || header.rows > file_bytes || header.targets > file_bytes) {
    return false;
  }
  const std::uint64_t body =
      header.tokens * 5 + (header.rows + 1) * 8 + header.rows * 4 + header.targets * 8;
  return sizeof(Header) + body + sizeof(XXH128_canonical_t) == file_bytes;
}

bool is_consistent(const EncodedDataset& dataset) {
  if (dataset.offsets.front() != 0 || dataset.offsets.back() != std::ssize(dataset.ids))
    return false;
  for (std::int64_t row = 0; row < dataset.size(); ++row) {
    if (dataset.length(row) <= 0) return false;
  }
  return dataset.targets.empty() || std::ssize(dataset.targets) == dataset.size();
}

}  // namespace

std::string serialize(const EncodedDataset& dataset) {
  ensure(!dataset.is_of_patches(), "serialize: a set of text");
  Header header;
  header.tokens = dataset.ids.size();
  header.rows = static_cast<std::uint64_t>(dataset.size());
  header.targets = dataset.targets.size();
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  put(bytes, dataset.ids);
  put(bytes, dataset.type_ids);
  put(bytes, dataset.offsets);
  put(bytes, dataset.labels);
  put(bytes, dataset.targets);
  const XXH128_canonical_t hash = hash_of(bytes);
  bytes.append(reinterpret_cast<const char*>(hash.digest), sizeof hash.digest);
  return bytes;
}

EncodedDataset deserialize(std::string_view bytes, const std::string& source_name) {
  const std::uint64_t size = bytes.size();
  const auto expect = [&](bool is_sound) {
    if (!is_sound) {
      throw Error(source_name +
                  ": not a whole tokenised set of this version; delete it to make it anew");
    }
  };
  expect(size >= sizeof(Header) + sizeof(XXH128_canonical_t));

  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  expect(header.magic == Header().magic && counts_fit(header, size));
  std::string_view body(bytes.data(), size - sizeof(XXH128_canonical_t));
  const XXH128_canonical_t hash = hash_of(body);
  expect(std::memcmp(hash.digest, body.data() + body.size(), sizeof hash.digest) == 0);

  body.remove_prefix(sizeof header);
  EncodedDataset dataset;
  take(body, header.tokens, dataset.ids);
  take(body, header.tokens, dataset.type_ids);
  take(body, header.rows + 1, dataset.offsets);
  take(body, header.rows, dataset.labels);
  take(body, header.targets, dataset.targets);
  expect(is_consistent(dataset));
  return dataset;
}

void save(const EncodedDataset& dataset, const std::filesystem::path& path) {
  write_file_atomically(path, serialize(dataset));
}

EncodedDataset load_dataset(const std::filesystem::path& path) {
  return deserialize(read_file(path), path.string());
}

}  // namespace basis
