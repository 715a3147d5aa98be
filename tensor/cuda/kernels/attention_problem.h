#pragma once

#include <algorithm>
#include <initializer_list>

#include "tensor/backend.h"
#include "tensor/cuda/storage.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

/// What the blocks of tuned attention share.
struct AttentionForward {
  Rows<const BFloat16> q, k, v;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<BFloat16> out;
  Rows<float> log_sum_exp;  // null where it is not wanted
};

struct AttentionBackward {
  Rows<const BFloat16> dout, q, k, v, out;
  Rows<const float> log_sum_exp;
  SequenceView sequences;
  float scale;
  Dropout dropout;
  const StepState* state;
  Rows<BFloat16> dq, dk, dv;
};

/// Whether there are tuned kernels for it: bf16, heads of 32, 64 or 128, rows on 16 bytes, all
/// queries. Probabilities, and in backward their gradients, are rounded to bf16 before the second
/// product.
inline bool fits_tuned_attention(std::initializer_list<ConstMatrixView> operands,
                                 const AttentionShape& shape) {
  const bool is_head = shape.head_size == 32 || shape.head_size == 64 || shape.head_size == 128;
  return is_head && shape.queries == AttentionShape::Queries::All &&
         std::all_of(operands.begin(), operands.end(), [](const ConstMatrixView& view) {
           return view.dtype == DType::BF16 && fits_packs(view);
         });
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
