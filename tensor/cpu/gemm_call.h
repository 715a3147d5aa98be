#pragma once

// For blas_*.cpp alone; not installed.

#include <algorithm>

#include <cblas.h>

#include "tensor/view.h"

namespace basis::cpu {

/// One call of cblas_sgemm or cblas_dgemm; see gemm (tensor/cpu/blas.h).
inline void call_gemm(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                      bool transpose_b, double beta, MatrixView out) {
  const auto leading = [](ConstMatrixView view) {
    return static_cast<int>(std::max<std::int64_t>({view.row_stride, view.columns, 1}));
  };
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
