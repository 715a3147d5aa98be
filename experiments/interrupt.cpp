#include "experiments/interrupt.h"

#include <string_view>

#include <signal.h>
#include <unistd.h>

namespace basis {
namespace {

std::atomic<bool> is_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

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

InterruptHandler::InterruptHandler(Role role) {
  is_interrupted = false;
  struct sigaction action = {};
  action.sa_handler = role == Role::Alone ? handle_interrupt : note_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, &before_interrupt);
  sigaction(SIGTERM, &action, &before_terminate);
}

InterruptHandler::~InterruptHandler() {
  sigaction(SIGINT, &before_interrupt, nullptr);
  sigaction(SIGTERM, &before_terminate, nullptr);
}

const std::atomic<bool>& InterruptHandler::flag() const {
  return is_interrupted;
}

}  // namespace basis
