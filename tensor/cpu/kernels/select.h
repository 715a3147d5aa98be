#pragma once

#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/tables.h"

namespace basis::cpu {

/// The kernels of one instruction set for activations of f32, bf16 or f64. f64 always gets the
/// baseline's. bf16's optimiser is f32's: that is what its parameters are.
const KernelTable& kernels_f32(Isa isa);
const KernelTable& kernels_bf16(Isa isa);
const KernelTable& kernels_f64();

}  // namespace basis::cpu
