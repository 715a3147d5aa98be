#include <cstdio>
#include <exception>

#include "experiments/commands/commands.h"
#include "experiments/failure.h"
#include "experiments/restart.h"
#include "tensor/error.h"

/// The `basis` program. Exit status: 0; 2 for a user's mistake; 70 for one of ours; 130 after
/// Ctrl-C.
int main(int count, char** arguments) {
  try {
    basis::restart_for_libraries(arguments);
    const int status = basis::run_command_line(count, arguments);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw basis::Error("standard output: cannot be written");
    }
    return status;
  } catch (const std::exception& error) {
    if (const auto message = basis::message_for_user(error)) {
      std::fprintf(stderr, "basis: %s\n", message->c_str());
      return 2;
    }
    std::fprintf(stderr,
                 "basis: internal error: %s\nThis is a defect of basis and not of yours: please "
                 "report it with the command and what `basis info` prints.\n",
                 error.what());
    return 70;
  }
}
