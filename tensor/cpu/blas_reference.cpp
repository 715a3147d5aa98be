#include <algorithm>

#include <cblas-netlib.h>

#include "tensor/cpu/blas.h"

namespace basis::cpu {

namespace {

int leading(ConstMatrixView view) {
  return static_cast<int>(std::max<std::int64_t>({view.row_stride, view.columns, 1}));
}

/// Rows [first, first + count) of op(view).
template <class View>
View rows_of_operand(View view, bool is_transposed, std::int64_t first, std::int64_t count) {
  const std::int64_t elements = first * (is_transposed ? 1 : view.row_stride);
  const auto bytes = elements * static_cast<std::int64_t>(size_of(view.dtype));
  view.data = reinterpret_cast<decltype(view.data)>(reinterpret_cast<std::uintptr_t>(view.data) +
                                                    static_cast<std::uintptr_t>(bytes));
  (is_transposed ? view.columns : view.rows) = count;
  return view;
}

void gemm_on_this_thread(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                         bool transpose_b, double beta, MatrixView out) {
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

}  // namespace

void check_blas() {}

std::vector<std::pair<std::string, std::string>> describe_blas() {
  return {{"blas", "Netlib's reference"}};
}

std::string openblas_core() {
  return "";
}

// The library knows no threads: each takes rows of the output.
void gemm(int threads, double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
          bool transpose_b, double beta, MatrixView out) {
  if (out.rows == 0 || out.columns == 0) return;
  const std::int64_t part = (out.rows + threads - 1) / threads;
#pragma omp parallel for num_threads(threads)
  for (int t = 0; t < threads; ++t) {
    const std::int64_t first = std::min(t * part, out.rows);
    const std::int64_t count = std::min(part, out.rows - first);
    if (count == 0) continue;
    gemm_on_this_thread(alpha, rows_of_operand(a, transpose_a, first, count), transpose_a, b,
                        transpose_b, beta, rows_of_operand(out, false, first, count));
  }
}

}  // namespace basis::cpu
