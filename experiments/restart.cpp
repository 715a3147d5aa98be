#include "experiments/restart.h"

#include <cstdlib>

#include <unistd.h>

#include "tensor/cpu/isa.h"

namespace basis {

void restart_for_openblas(char** arguments) {
  // Once: a second start that finds the same answer goes on.
  constexpr const char* guard = "BASIS_RESTARTED";
  if (std::getenv(guard) != nullptr) {
    unsetenv(guard);  // programs that this one starts are not its second start
    return;
  }
  const auto core = preferred_openblas_core();
  if (!core) return;
  setenv("OPENBLAS_CORETYPE", core->c_str(), 1);
  setenv(guard, "1", 1);
  execv("/proc/self/exe", arguments);
  unsetenv(guard);
}

}  // namespace basis
