#pragma once

#include <algorithm>
#include <initializer_list>

#include "tensor/backend.h"
#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// What the blocks of tuned attention share.
template <class T>
struct AttentionForward {
  Rows<const T> q, k, v;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<T> out;
  Rows<float> log_sum_exp;  // null where it is not wanted
};

template <class T>
struct AttentionBackward {
  Rows<const T> dout, q, k, v, out;
  Rows<const float> log_sum_exp;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<T> dq, dk, dv;
};

/// Of tensor cores.
using Bf16Forward = AttentionForward<BFloat16>;
using Bf16Backward = AttentionBackward<BFloat16>;

/// Calls use(HeadSize) as an integral constant, for the heads that there are tuned kernels for.
template <class Use>
void with_head_size(std::int64_t head_size, const Use& use) {
  if (head_size == 32) return use(std::integral_constant<int, 32>{});
  if (head_size == 64) return use(std::integral_constant<int, 64>{});
  use(std::integral_constant<int, 128>{});
}

/// Whether there are tuned kernels for it: heads of 32, 64 or 128, rows on 16 bytes, all queries,
/// one dtype. In bf16 probabilities, and in backward their gradients, are rounded before the second
/// product.
inline bool fits_tuned_attention(std::initializer_list<ConstMatrixView> operands,
                                 const AttentionShape& shape) {
  const DType dtype = operands.begin()->dtype;
  const bool is_head = shape.head_size == 32 || shape.head_size == 64 || shape.head_size == 128;
  return is_head && shape.queries == AttentionShape::Queries::All &&
         std::all_of(operands.begin(), operands.end(), [dtype](const ConstMatrixView& view) {
           return view.dtype == dtype && fits_packs(view);
         });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
