#include "tensor/cpu/blas.h"

#include <cblas.h>
#include <fmt/format.h>
#include <omp.h>

#include "tensor/cpu/gemm_call.h"
#include "tensor/error.h"

namespace basis::cpu {

namespace {

// OpenBLAS takes its thread count from OpenMP's setting of the calling thread; once it has been
// told "1" it stays there until told otherwise.
void use_threads(int threads) {
  if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  if (openblas_get_num_threads() != threads) openblas_set_num_threads(threads);
}

}  // namespace

void check_blas() {
  if (openblas_get_parallel() == 2) return;
  throw Error(fmt::format("OpenBLAS is not its OpenMP build ({}): install libopenblas-openmp-dev",
                          openblas_get_config()));
}

std::vector<std::pair<std::string, std::string>> describe_blas() {
  return {{"openblas", openblas_get_config()}, {"openblas core", openblas_core()}};
}

std::string openblas_core() {
  return openblas_get_corename();
}

void gemm(int threads, double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
          bool transpose_b, double beta, MatrixView out) {
  if (out.rows == 0 || out.columns == 0) return;
  use_threads(threads);
  call_gemm(alpha, a, transpose_a, b, transpose_b, beta, out);
}

}  // namespace basis::cpu
