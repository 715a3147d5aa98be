#include "experiments/restart.h"

#include <cstdlib>

#include <unistd.h>

#include "tensor/cpu/isa.h"

namespace basis {

namespace {

/// Some tens of microseconds, the time between two kernels: a short step in bf16 takes 15 to 25 %
/// longer where threads fall asleep at once. Where two programs share the cores, every wait is
/// lost to the other: a quarter of the speed with 2,000 rounds, 14 times with 100,000.
constexpr const char* spin_count = "2000";

}  // namespace

void restart_for_libraries(char** arguments) {
  // Once: a second start that finds the same answer goes on.
  constexpr const char* guard = "BASIS_RESTARTED";
  if (std::getenv(guard) != nullptr) {
    unsetenv(guard);  // programs that this one starts are not its second start
    return;
  }
  const auto core = preferred_openblas_core();
  const bool spins_by_default =
      std::getenv("OMP_WAIT_POLICY") == nullptr && std::getenv("GOMP_SPINCOUNT") == nullptr;
  if (!core && !spins_by_default) return;
  if (core) setenv("OPENBLAS_CORETYPE", core->c_str(), 1);
  if (spins_by_default) setenv("GOMP_SPINCOUNT", spin_count, 1);
  setenv(guard, "1", 1);
  execv("/proc/self/exe", arguments);
  unsetenv(guard);
}

}  // namespace basis
