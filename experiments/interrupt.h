#pragma once

#include <atomic>

namespace basis {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM sets a flag and says so on standard error,
/// the second one ends the process at once with status 130. For the program; one at a time.
class InterruptHandler {
 public:
  InterruptHandler();
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  const std::atomic<bool>& flag() const;
};

/// Exit status of a program that was interrupted: 128 + SIGINT.
inline constexpr int interrupted_status = 130;

}  // namespace basis
