#include "tensor/cpu/kernels/select.h"

#include "tensor/cpu/kernels/variants.h"
#include "tensor/error.h"

namespace basis::cpu {

const KernelTable& kernels_f32(Isa isa) {
  static constexpr KernelTable baseline_table = {
      &baseline::elementwise_f32, &baseline::activation_f32,  &baseline::curvature_f32,
      &baseline::convert_any,     &baseline::reduction_f32,   &baseline::loss_f32,
      &baseline::layer_norm_f32,  &baseline::attention_f32,   &baseline::rows_f32,
      &baseline::optimizer_f32,   &baseline::perturbation_f32};
#if defined(BASIS_X86_KERNELS)
  static constexpr KernelTable avx2_table = {
      &avx2::elementwise_f32, &avx2::activation_f32, &avx2::curvature_f32,   &avx2::convert_any,
      &avx2::reduction_f32,   &avx2::loss_f32,       &avx2::layer_norm_f32,  &avx2::attention_f32,
      &avx2::rows_f32,        &avx2::optimizer_f32,  &avx2::perturbation_f32};
  static constexpr KernelTable avx512_table = {
      &avx512::elementwise_f32, &avx512::activation_f32,  &avx512::curvature_f32,
      &avx512::convert_any,     &avx512::reduction_f32,   &avx512::loss_f32,
      &avx512::layer_norm_f32,  &avx512::attention_f32,   &avx512::rows_f32,
      &avx512::optimizer_f32,   &avx512::perturbation_f32};
  if (isa == Isa::Avx2) return avx2_table;
  if (isa >= Isa::Avx512) return avx512_table;
#endif
  ensure(isa == Isa::Baseline, "an instruction set that this build has kernels for");
  return baseline_table;
}

const KernelTable& kernels_bf16(Isa isa) {
  static constexpr KernelTable baseline_table = {
      &baseline::elementwise_bf16, &baseline::activation_bf16, &baseline::curvature_bf16,
      &baseline::convert_any,      &baseline::reduction_bf16,  &baseline::loss_bf16,
      &baseline::layer_norm_bf16,  &baseline::attention_bf16,  &baseline::rows_bf16,
      &baseline::optimizer_f32,    &baseline::perturbation_f32};
#if defined(BASIS_X86_KERNELS)
  static constexpr KernelTable avx2_table = {
      &avx2::elementwise_bf16, &avx2::activation_bf16, &avx2::curvature_bf16,
      &avx2::convert_any,      &avx2::reduction_bf16,  &avx2::loss_bf16,
      &avx2::layer_norm_bf16,  &avx2::attention_bf16,  &avx2::rows_bf16,
      &avx2::optimizer_f32,    &avx2::perturbation_f32};
  static constexpr KernelTable avx512_table = {
      &avx512::elementwise_bf16, &avx512::activation_bf16, &avx512::curvature_bf16,
      &avx512::convert_any,      &avx512::reduction_bf16,  &avx512::loss_bf16,
      &avx512::layer_norm_bf16,  &avx512::attention_bf16,  &avx512::rows_bf16,
      &avx512::optimizer_f32,    &avx512::perturbation_f32};
  if (isa == Isa::Avx2) return avx2_table;
  if (isa >= Isa::Avx512) return avx512_table;
#endif
  ensure(isa == Isa::Baseline, "an instruction set that this build has kernels for");
  return baseline_table;
}

const KernelTable& kernels_f64() {
  static constexpr KernelTable table = {
      &baseline::elementwise_f64, &baseline::activation_f64,  &baseline::curvature_f64,
      &baseline::convert_any,     &baseline::reduction_f64,   &baseline::loss_f64,
      &baseline::layer_norm_f64,  &baseline::attention_f64,   &baseline::rows_f64,
      &baseline::optimizer_f64,   &baseline::perturbation_f64};
  return table;
}

}  // namespace basis::cpu
