#pragma once

namespace basis {

/// Two libraries read their settings as they are loaded, before main: OpenBLAS which processor's
/// kernels it takes (OPENBLAS_CORETYPE, to match BASIS_ISA), OpenMP how its threads wait
/// (OMP_WAIT_POLICY: passive unless the user says otherwise, since threads that spin stand in each
/// other's way as soon as another process wants a core). Sets both where needed and starts the
/// program anew, once. Returns where nothing is to do or the system refuses. Throws Error for a bad
/// BASIS_ISA.
void restart_for_libraries(char** arguments);

}  // namespace basis
