#pragma once

namespace basis {

/// Two libraries read their settings as they are loaded, before main: OpenBLAS which processor's
/// kernels it takes (OPENBLAS_CORETYPE, to match BASIS_ISA), OpenMP how long its threads look for
/// work before they sleep (GOMP_SPINCOUNT, unless the user sets that or OMP_WAIT_POLICY). Sets both
/// where needed and starts the program anew, once. Returns where nothing is to do or the system
/// refuses. Throws Error for a bad BASIS_ISA.
void restart_for_libraries(char** arguments);

}  // namespace basis
