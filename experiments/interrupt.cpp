#include "experiments/interrupt.h"

#include <string_view>

#include <signal.h>
#include <unistd.h>

#include "tensor/error.h"

namespace basis {
namespace {

std::atomic<bool> is_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

/// A frame with the registers of AMX takes 11 KiB, a sanitizer's write() some more.
constexpr std::size_t stack_bytes = 64 << 10;

stack_t stack_before;
struct sigaction before_interrupt;
struct sigaction before_terminate;

// Only calls that a signal handler may make.
extern "C" void handle_interrupt(int) {
  if (is_interrupted.exchange(true)) _exit(interrupted_status);
  constexpr std::string_view message =
      "\nbasis: stopping after a checkpoint; once more to leave at once\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message.data(), message.size());
}

extern "C" void note_interrupt(int) {
  is_interrupted = true;
}

}  // namespace

InterruptHandler::InterruptHandler(Role role) : stack_(stack_bytes) {
  is_interrupted = false;
  stack_t stack = {};
  stack.ss_sp = stack_.data();
  stack.ss_size = stack_.size();
  ensure(sigaltstack(&stack, &stack_before) == 0, "a signal handler gets a stack of its own");
  struct sigaction action = {};
  action.sa_handler = role == Role::Alone ? handle_interrupt : note_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigaction(SIGINT, &action, &before_interrupt);
  sigaction(SIGTERM, &action, &before_terminate);
}

InterruptHandler::~InterruptHandler() {
  sigaction(SIGINT, &before_interrupt, nullptr);
  sigaction(SIGTERM, &before_terminate, nullptr);
  sigaltstack(&stack_before, nullptr);
}

const std::atomic<bool>& InterruptHandler::flag() const {
  return is_interrupted;
}

}  // namespace basis
