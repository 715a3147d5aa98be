#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tensor/view.h"

// The host's BLAS: blas_openblas.cpp, or blas_reference.cpp where the build says
// BASIS_BLAS=reference.

namespace basis::cpu {

/// Throws Error when OpenBLAS is not its OpenMP build.
void check_blas();

/// For `basis info` and run records.
std::vector<std::pair<std::string, std::string>> describe_blas();

/// The kernels that OpenBLAS chose as it was loaded; empty where another library computes.
std::string openblas_core();

/// out = alpha op(a) op(b) + beta out on `threads` threads; all three of one dtype, f32 or f64.
/// With beta 0 what stands in `out` does not matter.
void gemm(int threads, double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
          bool transpose_b, double beta, MatrixView out);

}  // namespace basis::cpu
