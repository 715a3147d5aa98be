#pragma once

#include "tensor/view.h"

namespace basis::cpu {

/// Throws Error when OpenBLAS is not its OpenMP build.
void check_openblas();

/// out = alpha op(a) op(b) + beta out by OpenBLAS on `threads` threads; all three of one dtype, f32
/// or f64. With beta 0 what stands in `out` does not matter.
void gemm(int threads, double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
          bool transpose_b, double beta, MatrixView out);

}  // namespace basis::cpu
