#pragma once

// For .cpp files only; not installed.

#include <memory>

#include "tensor/allocator.h"
#include "tensor/cpu/isa.h"
#include "tensor/cpu/kernels/tables.h"
#include "tensor/cpu/onednn.h"

namespace basis::cpu {

/// Who computes a product.
enum class Library : std::uint8_t {
  Blas,     // f32 and f64
  OneDnn,   // f32 and bf16
  Widened,  // bf16 by OpenBLAS on copies in f32: right on every processor, and slow
};

/// "OpenBLAS", "oneDNN", "OpenBLAS on f32 copies".
const char* name_of(Library library);

/// The choice, a function of instruction set, dtypes and sizes and never a timing: the same run
/// must give the same bits. `operands`: of a and b; `work`: rows · columns · inner size.
Library library_for(Isa isa, DType operands, DType out, double beta, std::int64_t work);

/// All matrix products of the CPU backend.
class Products {
 public:
  /// `kernels`: conversions and bias in f32.
  Products(int threads, Isa isa, const KernelTable& kernels);

  /// out = alpha op(a) op(b) + beta out.
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out);
  /// out = x Wᵀ + bias, bias (1, out) or absent.
  void linear(ConstMatrixView x, ConstMatrixView weight, ConstMatrixView bias, MatrixView out);
  /// dW = gᵀ x and dbias = column sums of g, where one call of a library does both; else false, and
  /// nothing has happened.
  bool weight_gradient(ConstMatrixView g, ConstMatrixView x, MatrixView dweight, MatrixView dbias);

 private:
  void widened(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
               bool transpose_b, ConstMatrixView bias, double beta, MatrixView out);

  int threads_;
  Isa isa_;
  const KernelTable& f32_;
  const KernelTable& f64_;
  OneDnn onednn_;
};

}  // namespace basis::cpu
