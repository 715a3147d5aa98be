#pragma once

#include <memory>

#include "tensor/backend.h"
#include "tensor/cpu/isa.h"

namespace basis {

/// The CPU: OpenBLAS for products, own vectorised loops for everything else. Tensors are f32 or
/// f64. `threads` 0: chosen_threads(). The instruction set is chosen_isa(). Throws Error when
/// OpenBLAS is not its OpenMP build, whose threads are the ones our loops use.
std::unique_ptr<Backend> make_cpu_backend(int threads = 0);

/// The same on a given instruction set. Throws Error when this processor lacks it.
std::unique_ptr<Backend> make_cpu_backend(int threads, Isa isa);

}  // namespace basis
