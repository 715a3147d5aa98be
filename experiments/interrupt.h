#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace basis {

/// While it lives, the first Ctrl-C (SIGINT) or SIGTERM sets a flag and says so on standard error,
/// the second one ends the process at once with status 130. For the program; one at a time, made
/// and gone on the main thread. A process that works for another one says nothing and takes no
/// second one: it hears of each Ctrl-C from the terminal and from the other process, which speaks
/// and ends it.
///
/// The handler runs on a stack of its own. What it interrupts may have no stack: the weight
/// gradients of oneDNN 2 in f32 use the stack pointer as a register while they multiply, and a
/// handler that ran where it points would write over the heap. Linux gives a process's signals to
/// its main thread, so that this one alone needs such a stack.
class InterruptHandler {
 public:
  enum class Role : std::uint8_t { Alone, ForAnother };
  explicit InterruptHandler(Role role = Role::Alone);
  ~InterruptHandler();
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;

  const std::atomic<bool>& flag() const;

 private:
  std::vector<std::byte> stack_;
};

/// Exit status of a program that was interrupted: 128 + SIGINT.
inline constexpr int interrupted_status = 130;

}  // namespace basis
