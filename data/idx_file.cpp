#include "data/idx_file.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include "tensor/error.h"
#include "tensor/mapped_file.h"

namespace basis {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::int64_t most_axes = 4;
constexpr std::uint8_t unsigned_bytes = 0x08;  // the one type that is read
// Deflate's best: 258 bytes for a code of one bit and a distance of one bit.
constexpr std::int64_t most_inflation = 1032;

bool is_gzipped(Bytes file) {
  return file.size() >= 2 && file[0] == 0x1f && file[1] == 0x8b;
}

/// A gzip stream, piece by piece. The file may hold several members one behind the other.
class GzipStream {
 public:
  GzipStream(Bytes file, const std::string& path) : path_(path), rest_(file) {
    constexpr int gzip_alone = 16;  // zlib.h: added to the window's bits, refuses zlib's own format
    ensure(inflateInit2(&zlib_, MAX_WBITS + gzip_alone) == Z_OK, "zlib gives a stream");
  }
  ~GzipStream() { inflateEnd(&zlib_); }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  /// As many bytes as there are, `to.size()` at most. At the stream's end its checksum is compared.
  std::size_t read(std::span<std::uint8_t> to) {
    zlib_.next_out = to.data();
    zlib_.avail_out = static_cast<uInt>(to.size());  // below most_idx_bytes
    while (zlib_.avail_out > 0 && !is_at_end_) inflate_some();
    return to.size() - zlib_.avail_out;
  }

 private:
  void inflate_some() {
    feed();
    const int status = inflate(&zlib_, Z_NO_FLUSH);
    if (status == Z_STREAM_END) return end_member();
    if (status == Z_BUF_ERROR) {
      throw Error(fmt::format("{}: cut short, its gzip stream does not end here", path_));
    }
    if (status != Z_OK) {
      throw Error(fmt::format("{}: damaged, zlib says: {}", path_,
                              zlib_.msg != nullptr ? zlib_.msg : zError(status)));
    }
  }

  void feed() {
    if (zlib_.avail_in > 0) return;
    const Bytes next = rest_.first(std::min<std::size_t>(rest_.size(), std::size_t{1} << 30));
    zlib_.next_in = const_cast<std::uint8_t*>(next.data());  // zlib reads it and no more
    zlib_.avail_in = static_cast<uInt>(next.size());
    rest_ = rest_.subspan(next.size());
  }

  void end_member() {
    const Bytes left(zlib_.next_in, zlib_.avail_in + rest_.size());
    is_at_end_ = left.empty();
    if (is_at_end_) return;
    if (!is_gzipped(left)) {
      throw Error(
          fmt::format("{}: {} bytes behind the end of its gzip stream", path_, left.size()));
    }
    inflateReset(&zlib_);
  }

  std::string path_;
  Bytes rest_;
  z_stream zlib_{};
  bool is_at_end_ = false;
};

/// The bytes of the array, plain or inflated.
class ByteSource {
 public:
  ByteSource(Bytes file, const std::string& path) : path_(path), file_(file) {
    if (is_gzipped(file)) gzip_ = std::make_unique<GzipStream>(file, path);
  }

  std::size_t read(std::span<std::uint8_t> to) {
    const std::size_t got = gzip_ ? gzip_->read(to) : copy(to);
    taken_ += got;
    return got;
  }

  /// Fills `to`. `what`: what stands there, for the message.
  void read_all(std::span<std::uint8_t> to, const char* what) {
    if (const std::size_t got = read(to); got < to.size()) {
      throw Error(fmt::format("{}: cut short, {} bytes of its {} bytes of {} are there", path_, got,
                              to.size(), what));
    }
  }

  /// Throws where the rest cannot be `bytes` long, before anyone makes room for as much.
  void check_rest(std::int64_t bytes, const std::string& sizes) const {
    const auto file = static_cast<std::int64_t>(file_.size());
    const auto rest = file - static_cast<std::int64_t>(taken_);
    if (gzip_ ? bytes <= most_inflation * file : bytes == rest) return;
    throw Error(fmt::format("{}: its header says {}, {} bytes of elements; {}", path_, sizes, bytes,
                            gzip_ ? fmt::format("{} gzipped bytes cannot hold them", file)
                                  : fmt::format("the file has {}", rest)));
  }

  void check_end() {
    std::array<std::uint8_t, 1> one{};
    if (read(one) == 0) return;
    throw Error(fmt::format("{}: more elements than its header says", path_));
  }

 private:
  std::size_t copy(std::span<std::uint8_t> to) const {
    const Bytes part = file_.subspan(taken_, std::min(to.size(), file_.size() - taken_));
    std::copy(part.begin(), part.end(), to.begin());
    return part.size();
  }

  std::string path_;
  Bytes file_;
  std::size_t taken_ = 0;  // of the array's bytes
  std::unique_ptr<GzipStream> gzip_;
};

const char* name_of_type(std::uint8_t type) {
  switch (type) {
    case 0x09:
      return "signed bytes";
    case 0x0b:
      return "16-bit integers";
    case 0x0c:
      return "32-bit integers";
    case 0x0d:
      return "32-bit floats";
    case 0x0e:
      return "64-bit floats";
    default:
      return "no type of the format";
  }
}

/// The magic number: two zeros, the type, the number of axes, which it gives.
std::int64_t read_magic(ByteSource& source, const std::string& path) {
  std::array<std::uint8_t, 4> magic{};
  source.read_all(magic, "idx header");
  if (magic[0] != 0 || magic[1] != 0) {
    throw Error(fmt::format("{}: begins with {:02x}, expected an idx file, which begins with 00 00",
                            path, fmt::join(magic, " ")));
  }
  if (magic[2] != unsigned_bytes) {
    throw Error(fmt::format("{}: elements of type {:02x} ({}), expected {:02x}, unsigned bytes",
                            path, magic[2], name_of_type(magic[2]), unsigned_bytes));
  }
  if (magic[3] < 1 || magic[3] > most_axes) {
    throw Error(fmt::format("{}: {} axes, expected 1 to {}", path, magic[3], most_axes));
  }
  return magic[3];
}

std::vector<std::int64_t> read_sizes(ByteSource& source, std::int64_t axes) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(4 * axes));
  source.read_all(bytes, "sizes");
  std::vector<std::int64_t> sizes;
  for (auto at = bytes.begin(); at != bytes.end(); at += 4) {
    sizes.push_back(std::int64_t{at[0]} << 24 | at[1] << 16 | at[2] << 8 | at[3]);
  }
  return sizes;
}

/// The product of the sizes.
std::int64_t element_count(const std::vector<std::int64_t>& sizes, const std::string& path) {
  if (std::find(sizes.begin(), sizes.end(), 0) != sizes.end()) return 0;
  std::int64_t count = 1;
  for (std::int64_t size : sizes) {
    if (count > most_idx_bytes / size) {
      throw Error(fmt::format("{}: its header says {}, at most {} bytes are read", path,
                              fmt::join(sizes, " x "), most_idx_bytes));
    }
    count *= size;
  }
  return count;
}

}  // namespace

IdxArray read_idx_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string name = path.string();
  ByteSource source({reinterpret_cast<const std::uint8_t*>(file->data()), file->size()}, name);
  IdxArray array;
  array.sizes = read_sizes(source, read_magic(source, name));
  const std::int64_t count = element_count(array.sizes, name);
  source.check_rest(count, fmt::format("{}", fmt::join(array.sizes, " x ")));
  array.values.resize(static_cast<std::size_t>(count));
  source.read_all(array.values, "elements");
  source.check_end();
  return array;
}

}  // namespace basis
