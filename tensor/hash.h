#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace basis {
namespace detail {
class Xxh3;
}

/// XXH3-128 over a row of values: the identity of settings and of cached results, not a protection
/// against forgery. Kinds and lengths go in too: add("ab").add("c") and add("a").add("bc") differ,
/// as do 1, "1", 1.0 and true. Integers of all widths hash by their value.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& add(std::string_view text);
  Hasher& add(std::span<const std::byte> bytes);
  /// Dtype, shape and elements, which lie in the host's memory.
  Hasher& add(const Tensor& tensor);
  Hasher& add(bool value);
  /// By bits: 0.0 and -0.0 differ.
  Hasher& add(double value);
  template <std::integral T>
  Hasher& add(T value) {
    return add_integer(value < 0, static_cast<std::uint64_t>(value));
  }
  // Without it a pointer would become a bool.
  Hasher& add(const char* text) { return add(std::string_view(text)); }

  /// 32 hexadecimal digits of all that was added so far.
  std::string hex() const;

 private:
  Hasher& add_integer(bool negative, std::uint64_t value);
  void add_tagged(char kind, std::uint64_t number);

  std::unique_ptr<detail::Xxh3> state_;
};

/// XXH3-128 of a file's bytes, 32 hexadecimal digits: what `xxh128sum` prints. Throws Error.
std::string hash_of_file(const std::filesystem::path& path);

}  // namespace basis
