#include "tensor/cpu/blas.h"

#include <algorithm>

#include <cblas.h>
#include <fmt/format.h>
#include <omp.h>

#include "tensor/error.h"

namespace basis::cpu {

namespace {

// OpenBLAS takes its thread count from OpenMP's setting of the calling thread; once it has been
// told "1" it stays there until told otherwise.
void use_threads(int threads) {
  if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  if (openblas_get_num_threads() != threads) openblas_set_num_threads(threads);
}

int leading(ConstMatrixView view) {
  return static_cast<int>(std::max<std::int64_t>({view.row_stride, view.columns, 1}));
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
  const CBLAS_TRANSPOSE op_a = transpose_a ? CblasTrans : CblasNoTrans;
  const CBLAS_TRANSPOSE op_b = transpose_b ? CblasTrans : CblasNoTrans;
  const int m = static_cast<int>(out.rows);
  const int n = static_cast<int>(out.columns);
  const int inner = static_cast<int>(transpose_a ? a.rows : a.columns);
  if (out.dtype == DType::F32) {
    cblas_sgemm(CblasRowMajor, op_a, op_b, m, n, inner, static_cast<float>(alpha), a.as<float>(),
                leading(a), b.as<float>(), leading(b), static_cast<float>(beta), out.as<float>(),
                leading(out));
  } else {
    cblas_dgemm(CblasRowMajor, op_a, op_b, m, n, inner, alpha, a.as<double>(), leading(a),
                b.as<double>(), leading(b), beta, out.as<double>(), leading(out));
  }
}

}  // namespace basis::cpu
