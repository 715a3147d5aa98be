#include "experiments/restart.h"

#include <cstdlib>

#include <unistd.h>

#include "tensor/cpu/isa.h"

namespace basis {

void restart_for_libraries(char** arguments) {
  // Once: a second start that finds the same answer goes on.
  constexpr const char* guard = "BASIS_RESTARTED";
  if (std::getenv(guard) != nullptr) {
    unsetenv(guard);  // programs that this one starts are not its second start
    return;
  }
  const auto core = preferred_openblas_core();
  const bool waits_by_default =
      std::getenv("OMP_WAIT_POLICY") == nullptr && std::getenv("GOMP_SPINCOUNT") == nullptr;
  if (!core && !waits_by_default) return;
  if (core) setenv("OPENBLAS_CORETYPE", core->c_str(), 1);
  if (waits_by_default) setenv("OMP_WAIT_POLICY", "passive", 1);
  setenv(guard, "1", 1);
  execv("/proc/self/exe", arguments);
  unsetenv(guard);
}

}  // namespace basis
