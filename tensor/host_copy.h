#pragma once

#include <cstddef>

namespace basis {

/// A copy to the host that has been queued.
class HostCopy {
 public:
  virtual ~HostCopy() = default;
  /// The bytes, once they are there. They live as long as this does.
  virtual const std::byte* wait() = 0;
};

}  // namespace basis
