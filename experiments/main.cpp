#include <cstdio>
#include <exception>

#include "experiments/commands/commands.h"
#include "experiments/restart.h"
#include "tensor/error.h"

/// The `basis` program. Exit status: 0; 2 for a user's mistake; 70 for one of ours; 130 after
/// Ctrl-C.
int main(int count, char** arguments) {
  try {
    basis::restart_for_libraries(arguments);
    return basis::run_command_line(count, arguments);
  } catch (const basis::Error& error) {
    std::fprintf(stderr, "basis: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "basis: internal error: %s\nThis is a defect of basis and not of yours: please "
                 "report it with the command and what `basis info` prints.\n",
                 error.what());
    return 70;
  }
}
