#pragma once

#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// What the elements of a row that owes are worth: rounded once.
template <int N>
__device__ Values<N> paid(Values<N> values, double owed) {
  for (int i = 0; i < N; ++i) {
    values.at[i] = static_cast<float>(static_cast<double>(values.at[i]) * owed);
  }
  return values;
}

/// table[id] at `column` as it is worth.
template <int N, class T>
__device__ Values<N> load_worth(Rows<const T> table, const RowDebt& debt, std::int64_t id,
                                std::int64_t column) {
  const Values<N> values = load(table, Place<N>{id, column});
  return debt.owes(id) ? paid(values, *debt.owed) : values;
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
