#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/json.h"
#include "tensor/mapped_file.h"
#include "tensor/safetensors_convert.h"

namespace basis {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

struct SafeTensors::Entry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> sizes;
  std::size_t begin = 0;  // bytes within the data
  std::size_t end = 0;
};

struct SafeTensors::Contents {
  std::filesystem::path path;
  std::shared_ptr<MappedFile> file;
  std::byte* data = nullptr;  // behind the header
  std::vector<Entry> entries;
  std::vector<std::string> names;
  std::map<std::string, std::size_t> index;
  std::map<std::string, std::string> metadata;
};

namespace {

constexpr std::size_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;  // as the reference library

/// For messages: quoted, escaped, not too long.
std::string shown(const std::string& name) {
  constexpr std::size_t longest = 200;
  return Json(name).shown(longest);
}

std::string joined(const std::vector<std::int64_t>& sizes) {
  return fmt::format("({})", fmt::join(sizes, ", "));
}

/// The value of `key`, a list of whole numbers from 0 to 2^63 - 1.
std::vector<std::int64_t> whole_numbers(const Json& info, const char* key,
                                        const std::string& where) {
  const Json* found = info.find(key);
  if (found == nullptr) throw Error(fmt::format("{}: no \"{}\"", where, key));
  const Error wrong(
      fmt::format("{}: \"{}\" is not a list of whole numbers from 0 to 2^63 - 1", where, key));
  if (!found->is_list()) throw wrong;
  std::vector<std::int64_t> numbers;
  for (const Json& item : found->items()) {
    if (!item.is_integer() || item.integer() < 0) throw wrong;
    numbers.push_back(item.integer());
  }
  return numbers;
}

/// Bytes of a tensor; none where the product overflows or does not fill a byte.
std::optional<std::uint64_t> bytes_of(const std::vector<std::int64_t>& sizes, int element_bits) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(count, size, &count)) return std::nullopt;
  }
  if (__builtin_mul_overflow(count, std::int64_t{element_bits}, &count)) return std::nullopt;
  if (count % 8 != 0) return std::nullopt;
  return static_cast<std::uint64_t>(count / 8);
}

/// The header's text. Throws Error when the file cannot hold one.
std::string_view header_of(const MappedFile& file, const std::string& path) {
  if (file.size() == 0) throw Error(path + ": the file is empty");
  if (file.size() < length_bytes) {
    throw Error(fmt::format("{}: {} bytes are too few for a safetensors file", path, file.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), length_bytes);
  const std::uint64_t rest = file.size() - length_bytes;
  if (length > longest_header || length > rest) {
    throw Error(
        fmt::format("{}: a header of {} bytes is announced, {}; the file is cut or not safetensors",
                    path, length,
                    length > rest ? fmt::format("{} bytes follow", rest)
                                  : fmt::format("{} are allowed", longest_header)));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + length_bytes, length);
  if (text.empty() || text.front() != '{') {
    throw Error(path + ": the header does not begin with \"{\"; the file is not safetensors");
  }
  return text;
}

std::map<std::string, std::string> read_metadata(const Json& value, const std::string& path) {
  if (!value.is_object()) throw Error(path + ": __metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.members()) {
    if (!text.is_text()) {
      throw Error(fmt::format("{}: __metadata__ {} is not a string", path, shown(key)));
    }
    metadata.emplace(key, text.text());
  }
  return metadata;
}

/// Entries in the order of their bytes, one behind the other, fill the data exactly.
template <class Entries>
void check_places(const Entries& entries, std::size_t data_bytes, const std::string& path) {
  std::size_t reached = 0;
  for (const auto& entry : entries) {
    if (entry.begin != reached) {
      throw Error(fmt::format(
          "{}: tensor {} begins at byte {} of the data, {} byte {}", path, shown(entry.name),
          entry.begin,
          entry.begin < reached ? "overlapping the one that ends at" : "leaving a gap behind",
          reached));
    }
    reached = entry.end;
  }
  if (reached > data_bytes) {
    throw Error(fmt::format("{}: the file is cut: its tensors need {} bytes of data, {} are there",
                            path, reached, data_bytes));
  }
  if (reached < data_bytes) {
    throw Error(fmt::format("{}: {} bytes follow the last tensor; the file is damaged", path,
                            data_bytes - reached));
  }
}

}  // namespace

SafeTensors SafeTensors::open(const std::filesystem::path& path) {
  auto contents = std::make_shared<Contents>();
  contents->path = path;
  contents->file = MappedFile::open(path);
  const std::string name_of_file = path.string();
  const std::string_view header = header_of(*contents->file, name_of_file);
  contents->data = contents->file->data() + length_bytes + header.size();
  const Json json = Json::parse(header, name_of_file + " (header)");

  for (const auto& [name, info] : json.members()) {
    if (name == "__metadata__") {
      contents->metadata = read_metadata(info, name_of_file);
      continue;
    }
    const std::string where = name_of_file + ": tensor " + shown(name);
    if (!info.is_object()) throw Error(where + ": its description is not an object");
    const Json* dtype = info.find("dtype");
    if (dtype == nullptr || !dtype->is_text()) throw Error(where + ": no \"dtype\"");
    Entry entry{name, dtype->text(), whole_numbers(info, "shape", where)};
    const int bits = detail::stored_bits(entry.dtype);
    if (bits == 0) throw Error(fmt::format("{}: unknown dtype {}", where, shown(entry.dtype)));
    const auto offsets = whole_numbers(info, "data_offsets", where);
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
      throw Error(where + ": \"data_offsets\" is not [begin, end]");
    }
    entry.begin = static_cast<std::size_t>(offsets[0]);
    entry.end = static_cast<std::size_t>(offsets[1]);
    if (bytes_of(entry.sizes, bits) != entry.end - entry.begin) {
      throw Error(fmt::format("{}: {} {} does not fit its {} bytes", where, entry.dtype,
                              joined(entry.sizes), entry.end - entry.begin));
    }
    contents->entries.push_back(std::move(entry));
  }

  std::sort(contents->entries.begin(), contents->entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_places(contents->entries, contents->file->size() - length_bytes - header.size(),
               name_of_file);
  for (const Entry& entry : contents->entries) {
    contents->index.emplace(entry.name, contents->names.size());
    contents->names.push_back(entry.name);
  }
  return SafeTensors(std::move(contents));
}

const std::vector<std::string>& SafeTensors::names() const {
  return contents_->names;
}

bool SafeTensors::contains(const std::string& name) const {
  return contents_->index.contains(name);
}

const std::map<std::string, std::string>& SafeTensors::metadata() const {
  return contents_->metadata;
}

const std::filesystem::path& SafeTensors::path() const {
  return contents_->path;
}

const SafeTensors::Entry& SafeTensors::entry(const std::string& name) const {
  const auto found = contents_->index.find(name);
  if (found == contents_->index.end()) {
    throw Error(fmt::format("{}: no tensor {} among its {}", contents_->path.string(), shown(name),
                            contents_->names.size()));
  }
  return contents_->entries[found->second];
}

Shape SafeTensors::shape(const std::string& name) const {
  const Entry& found = entry(name);
  if (found.sizes.size() > static_cast<std::size_t>(Shape::max_rank)) {
    throw Error(fmt::format("{}: tensor {} has {} axes {}; at most {} are supported",
                            contents_->path.string(), shown(name), found.sizes.size(),
                            joined(found.sizes), Shape::max_rank));
  }
  Shape shape;
  for (const std::int64_t size : found.sizes) shape.append(size);
  return shape;
}

const std::string& SafeTensors::stored_dtype(const std::string& name) const {
  return entry(name).dtype;
}

std::size_t SafeTensors::stored_bytes(const std::string& name) const {
  return entry(name).end - entry(name).begin;
}

Tensor SafeTensors::real_tensor(const std::string& name, DType wanted) const {
  const std::string& dtype = stored_dtype(name);
  if (!dtype.starts_with('F') && dtype != "BF16") {
    throw Error(fmt::format("{}: tensor {} holds whole numbers ({}), expected weights",
                            contents_->path.string(), shown(name), dtype));
  }
  return tensor(name, wanted);
}

Tensor SafeTensors::tensor(const std::string& name) const {
  const auto stored = detail::stored_type(entry(name).dtype);
  // The other overload says what is wrong with another type.
  return tensor(name, stored ? detail::natural_dtype(*stored) : DType::F32);
}

Tensor SafeTensors::tensor(const std::string& name, DType wanted) const {
  const Entry& found = entry(name);
  const std::string where = contents_->path.string() + ": tensor " + shown(name);
  const auto stored = detail::stored_type(found.dtype);
  if (!stored || !detail::can_convert(*stored, wanted)) {
    throw Error(fmt::format("{} is stored as {}, which is not read as {}", where, found.dtype,
                            name_of(wanted)));
  }
  const Shape tensor_shape = shape(name);
  std::byte* const bytes = contents_->data + found.begin;
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(bytes) % size_of(wanted) == 0;
  if (detail::is_same(*stored, wanted) && is_aligned) {
    const auto begin = static_cast<std::size_t>(bytes - contents_->file->data());
    return Tensor(MappedFile::part(contents_->file, begin, found.end - found.begin), bytes,
                  tensor_shape, wanted, DeviceKind::Cpu);
  }

  const auto count = static_cast<std::size_t>(tensor_shape.element_count());
  Tensor converted = Tensor::on_host(tensor_shape, wanted);
  if (const auto misfit = detail::convert(*stored, bytes, count, wanted, converted.bytes_begin())) {
    throw Error(fmt::format("{}: element {} is beyond {}", where, *misfit, name_of(wanted)));
  }
  return converted;
}

}  // namespace basis
