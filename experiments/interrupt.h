#pragma once

#include <atomic>
#include <cstdint>

namespace basis {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM sets a flag and says so on standard error,
/// the second one ends the process at once with status 130. For the program; one at a time.
/// A process that works for another one says nothing and takes no second one: it hears of each
/// Ctrl-C from the terminal and from the other process, which speaks and ends it.
class InterruptHandler {
 public:
  enum class Role : std::uint8_t { Alone, ForAnother };
  explicit InterruptHandler(Role role = Role::Alone);
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  const std::atomic<bool>& flag() const;
};

/// Exit status of a program that was interrupted: 128 + SIGINT.
inline constexpr int interrupted_status = 130;

}  // namespace basis
