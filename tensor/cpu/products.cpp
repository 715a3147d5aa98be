#include "tensor/cpu/products.h"

#include <vector>

#include "tensor/cpu/blas.h"
#include "tensor/cpu/kernels/select.h"

namespace basis::cpu {

namespace {

/// Multiplications below which oneDNN's call costs more than OpenBLAS's product: 32 x 384 by 2.
constexpr std::int64_t smallest_onednn_work = 1 << 15;

/// oneDNN 2 has good f32 kernels from AVX-512 on (its AVX2 ones are no faster than OpenBLAS's), and
/// bf16 ones where the processor has the instructions.
Isa lowest_isa(DType operands) {
  return operands == DType::BF16 ? Isa::Avx512Bf16 : Isa::Avx512;
}

}  // namespace

const char* name_of(Library library) {
  const bool is_openblas = !openblas_core().empty();
  switch (library) {
    case Library::Blas:
      return is_openblas ? "OpenBLAS" : "reference BLAS";
    case Library::OneDnn:
      return "oneDNN";
    case Library::Widened:
      return is_openblas ? "OpenBLAS on f32 copies" : "reference BLAS on f32 copies";
  }
  return "?";
}

Library library_for(Isa isa, DType operands, DType out, double beta, std::int64_t work) {
  if (operands == DType::F64) return Library::Blas;
  static const bool has_onednn = !OneDnn::version().empty();
  const bool is_plain = out == DType::F32 || out == operands;
  const bool is_possible =
      has_onednn && isa >= lowest_isa(operands) && is_plain && (beta == 0 || beta == 1);
  if (operands == DType::BF16 || out == DType::BF16) {
    return is_possible ? Library::OneDnn : Library::Widened;
  }
  return is_possible && work >= smallest_onednn_work ? Library::OneDnn : Library::Blas;
}

Products::Products(int threads, Isa isa, const KernelTable& kernels)
    : threads_(threads), isa_(isa), f32_(kernels), f64_(kernels_f64()), onednn_(threads) {}

void Products::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                      bool transpose_b, double beta, MatrixView out) {
  const std::int64_t inner = transpose_a ? a.rows : a.columns;
  switch (library_for(isa_, a.dtype, out.dtype, beta, out.rows * out.columns * inner)) {
    case Library::Blas:
      return gemm(threads_, alpha, a, transpose_a, b, transpose_b, beta, out);
    case Library::OneDnn:
      return onednn_.matmul(alpha, a, transpose_a, b, transpose_b, {}, beta, out);
    case Library::Widened:
      return widened(alpha, a, transpose_a, b, transpose_b, {}, beta, out);
  }
}

void Products::linear(ConstMatrixView x, ConstMatrixView weight, ConstMatrixView bias,
                      MatrixView out) {
  switch (library_for(isa_, x.dtype, out.dtype, 0, out.rows * out.columns * x.columns)) {
    case Library::Blas:
      gemm(threads_, 1, x, false, weight, true, 0, out);
      if (!bias.is_absent()) {
        const KernelTable& table = out.dtype == DType::F64 ? f64_ : f32_;
        table.elementwise->add_bias(threads_, bias, out);
      }
      return;
    case Library::OneDnn:
      return onednn_.matmul(1, x, false, weight, true, bias, 0, out);
    case Library::Widened:
      return widened(1, x, false, weight, true, bias, 0, out);
  }
}

bool Products::weight_gradient(ConstMatrixView g, ConstMatrixView x, MatrixView dweight,
                               MatrixView dbias) {
  const std::int64_t work = g.rows * g.columns * x.columns;
  if (library_for(isa_, g.dtype, dweight.dtype, 0, work) != Library::OneDnn) return false;
  if (!g.is_contiguous() || !x.is_contiguous() || !dweight.is_contiguous()) return false;
  onednn_.weight_gradient(g, x, dweight, dbias);
  return true;
}

namespace {

/// An f32 matrix of its own.
struct Wide {
  std::vector<float> elements;
  MatrixView view;

  Wide(std::int64_t rows, std::int64_t columns)
      : elements(static_cast<std::size_t>(rows * columns)),
        view{elements.data(), DType::F32, rows, columns, columns} {}
};

}  // namespace

void Products::widened(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                       bool transpose_b, ConstMatrixView bias, double beta, MatrixView out) {
  auto widen = [&](ConstMatrixView x) {
    Wide wide(x.rows, x.columns);
    f32_.convert->convert(threads_, x, wide.view);
    return wide;
  };
  const Wide left = widen(a), right = widen(b);
  Wide result = beta == 0 ? Wide(out.rows, out.columns) : widen(out);
  gemm(threads_, alpha, left.view, transpose_a, right.view, transpose_b, beta, result.view);
  if (!bias.is_absent()) f32_.elementwise->add_bias(threads_, bias, result.view);
  f32_.convert->convert(threads_, result.view, out);
}

}  // namespace basis::cpu
