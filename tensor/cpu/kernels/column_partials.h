#pragma once

#include "tensor/cpu/kernels/common.h"

namespace basis::cpu::BASIS_KERNELS {
namespace {

/// out_j = beta out_j + alpha sum over parts of partial[part * padded_columns(n) + j], in order.
template <class T>
inline void combine_partials(const T* partial, Index parts, Index columns, T alpha, double beta,
                             T* out) {
  const Index stride = padded_columns(columns);
#pragma omp simd
  for (Index j = 0; j < columns; ++j) {
    T sum = T(0);
    for (Index part = 0; part < parts; ++part) sum += partial[part * stride + j];
    out[j] = beta == 0 ? alpha * sum : static_cast<T>(beta) * out[j] + alpha * sum;
  }
}

}  // namespace
}  // namespace basis::cpu::BASIS_KERNELS
