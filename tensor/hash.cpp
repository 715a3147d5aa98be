#include "tensor/hash.h"

#include <array>
#include <bit>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "tensor/error.h"
#include "tensor/file_descriptor.h"

namespace basis {
namespace detail {

class Xxh3 {
 public:
  Xxh3() : xxh_(XXH3_createState()) {
    if (xxh_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh_);
  }
  ~Xxh3() { XXH3_freeState(xxh_); }
  Xxh3(const Xxh3&) = delete;
  Xxh3& operator=(const Xxh3&) = delete;

  void update(const void* bytes, std::size_t size) { XXH3_128bits_update(xxh_, bytes, size); }
  std::string hex() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(xxh_);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

 private:
  XXH3_state_t* xxh_;
};

}  // namespace detail

Hasher::Hasher() : state_(std::make_unique<detail::Xxh3>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::add_tagged(char kind, std::uint64_t number) {
  std::array<unsigned char, 9> bytes{static_cast<unsigned char>(kind)};
  for (std::size_t i = 0; i < 8; ++i) bytes[i + 1] = static_cast<unsigned char>(number >> (8 * i));
  state_->update(bytes.data(), bytes.size());
}

Hasher& Hasher::add(std::string_view text) {
  add_tagged('s', text.size());
  state_->update(text.data(), text.size());
  return *this;
}

Hasher& Hasher::add(const Tensor& tensor) {
  ensure(tensor.device() == DeviceKind::Cpu, "a hashed tensor lies in the host's memory");
  return add(tensor.to_string())
      .add(std::span<const std::byte>(tensor.bytes_begin(), tensor.bytes()));
}

Hasher& Hasher::add(std::span<const std::byte> bytes) {
  add_tagged('b', bytes.size());
  state_->update(bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::add(bool value) {
  add_tagged('t', value ? 1 : 0);
  return *this;
}

Hasher& Hasher::add(double value) {
  add_tagged('d', std::bit_cast<std::uint64_t>(value));
  return *this;
}

Hasher& Hasher::add_integer(bool negative, std::uint64_t value) {
  add_tagged(negative ? 'n' : 'u', value);
  return *this;
}

std::string Hasher::hex() const {
  return state_->hex();
}

std::string hash_of_file(const std::filesystem::path& path) {
  // Read, not mapped: a file that is cut meanwhile is no crash.
  struct stat status {};
  const detail::FileDescriptor file = detail::open_for_reading(path, false, status);
  detail::Xxh3 hash;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const std::size_t got = detail::read_some(file, buffer.data(), buffer.size(), path)) {
    hash.update(buffer.data(), got);
  }
  return hash.hex();
}

}  // namespace basis
