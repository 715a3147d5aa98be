#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace basis {

/// Shared ownership of a stretch of a backend's memory; the last owner gives it back.
using Block = std::shared_ptr<std::byte>;

/// Hands out memory of one device, aligned to 64 bytes.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// Never null; zero bytes give a valid pointer. Throws Error when the device has no memory left,
  /// with the amount asked for and in use.
  virtual Block allocate(std::size_t bytes) = 0;
};

}  // namespace basis
