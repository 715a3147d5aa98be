#include <algorithm>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/gemm_call.h"

namespace basis::cpu {

namespace {

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
    call_gemm(alpha, rows_of_operand(a, transpose_a, first, count), transpose_a, b, transpose_b,
              beta, rows_of_operand(out, false, first, count));
  }
}

}  // namespace basis::cpu
