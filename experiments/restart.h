#pragma once

namespace basis {

/// OpenBLAS reads OPENBLAS_CORETYPE as it is loaded, before main. Where another core suits this
/// processor better, sets it and starts the program anew, once. Returns where nothing is to do or
/// the system refuses. Throws Error for a bad BASIS_ISA.
void restart_for_openblas(char** arguments);

}  // namespace basis
