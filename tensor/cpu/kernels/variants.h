#pragma once

#include "tensor/cpu/kernels/tables.h"

// What the object files of each instruction set export. f64 exists in the baseline only.

namespace basis::cpu {

namespace baseline {
extern const ElementwiseKernels elementwise_f32, elementwise_bf16, elementwise_f64;
extern const ActivationKernels activation_f32, activation_bf16, activation_f64;
extern const CurvatureKernels curvature_f32, curvature_bf16, curvature_f64;
extern const ConvertKernels convert_any;
extern const ReductionKernels reduction_f32, reduction_bf16, reduction_f64;
extern const LossKernels loss_f32, loss_bf16, loss_f64;
extern const LayerNormKernels layer_norm_f32, layer_norm_bf16, layer_norm_f64;
extern const AttentionKernels attention_f32, attention_bf16, attention_f64;
extern const RowKernels rows_f32, rows_bf16, rows_f64;
extern const OptimizerKernels optimizer_f32, optimizer_f64;
extern const PerturbationKernels perturbation_f32, perturbation_f64;
}  // namespace baseline

namespace avx2 {
extern const ElementwiseKernels elementwise_f32, elementwise_bf16;
extern const ActivationKernels activation_f32, activation_bf16;
extern const CurvatureKernels curvature_f32, curvature_bf16;
extern const ConvertKernels convert_any;
extern const ReductionKernels reduction_f32, reduction_bf16;
extern const LossKernels loss_f32, loss_bf16;
extern const LayerNormKernels layer_norm_f32, layer_norm_bf16;
extern const AttentionKernels attention_f32, attention_bf16;
extern const RowKernels rows_f32, rows_bf16;
extern const OptimizerKernels optimizer_f32;
extern const PerturbationKernels perturbation_f32;
}  // namespace avx2

namespace avx512 {
extern const ElementwiseKernels elementwise_f32, elementwise_bf16;
extern const ActivationKernels activation_f32, activation_bf16;
extern const CurvatureKernels curvature_f32, curvature_bf16;
extern const ConvertKernels convert_any;
extern const ReductionKernels reduction_f32, reduction_bf16;
extern const LossKernels loss_f32, loss_bf16;
extern const LayerNormKernels layer_norm_f32, layer_norm_bf16;
extern const AttentionKernels attention_f32, attention_bf16;
extern const RowKernels rows_f32, rows_bf16;
extern const OptimizerKernels optimizer_f32;
extern const PerturbationKernels perturbation_f32;
}  // namespace avx512

}  // namespace basis::cpu
