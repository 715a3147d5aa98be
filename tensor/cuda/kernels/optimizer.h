#pragma once

#include "tensor/backend.h"
#include "tensor/cuda/stream.h"

// Backend's functions of the same names (tensor/backend.h).
namespace basis::cuda::BASIS_CUDA_SIDE {

void adamw(Stream, const OptimizerRange& range, const AdamWConstants& constants,
           const StepState* state);
void adamw_of_all(Stream, std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                  const StepState* state);
void sgd(Stream, const OptimizerRange& range, const SgdConstants& constants,
         const StepState* state);
void adamw_rows(Stream, const OptimizerRows& rows, const AdamWConstants& constants,
                const StepState* state);
void sgd_rows(Stream, const OptimizerRows& rows, const StepState* state);

}  // namespace basis::cuda::BASIS_CUDA_SIDE
