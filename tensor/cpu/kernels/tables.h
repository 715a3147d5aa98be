#pragma once

#include "tensor/backend.h"

// Kernels are compiled once for each instruction set, into its own namespace, and reached only
// through these tables: an inline function compiled for AVX-512 must never be what the linker picks
// for an older processor. One table holds one activation dtype T; parameters, gradients and
// statistics have its accumulation dtype. Shapes and meanings stand in tensor/backend.h.
// `threads`: into how many parts the work is cut at most; the cut is a function of it and of sizes.

namespace basis::cpu {

struct ElementwiseKernels {
  void (*fill)(int threads, double value, MatrixView out);
  void (*add_scaled)(int threads, double alpha, ConstMatrixView x, double beta, MatrixView out);
  void (*scale_columns)(int threads, ConstMatrixView x, ConstMatrixView v, MatrixView out);
  void (*scale_shift_columns)(int threads, ConstMatrixView x, ConstMatrixView scale,
                              ConstMatrixView shift, MatrixView out);
  void (*add_bias)(int threads, ConstMatrixView bias, MatrixView out);
  void (*dropout)(int threads, ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
                  const StepState* state, MatrixView out);
};

struct ActivationKernels {
  void (*activation)(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                     MatrixView out);
  void (*activation_gradient)(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                              ConstMatrixView dout, MatrixView dx);
  /// `partial`: threads * padded_columns(n) numbers.
  void (*activation_backward)(int threads, Activation kind, ConstMatrixView x, ConstMatrixView bias,
                              ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                              MatrixView dbias, void* partial);
};

struct CurvatureKernels {
  void (*curvature)(int threads, ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                    ConstMatrixView c, MatrixView out);
  /// `partial`: 3 * threads * padded_columns(n) numbers.
  void (*curvature_gradient)(int threads, ConstMatrixView x, ConstMatrixView bias,
                             ConstMatrixView beta, ConstMatrixView c, ConstMatrixView dout,
                             MatrixView dx, MatrixView out, double beta_bias, MatrixView dbias,
                             double beta_beta, MatrixView dbeta, double beta_c, MatrixView dc,
                             void* partial);
};

/// x and out of any two of f32, f64, bf16.
struct ConvertKernels {
  void (*convert)(int threads, ConstMatrixView x, MatrixView out);
};

struct ReductionKernels {
  /// alpha sum_t x_tj (y_tj); y may be absent. `partial`: threads * padded_columns(n) numbers.
  void (*column_dot)(int threads, double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                     MatrixView out, void* partial);
  void (*squared_norm)(int threads, ConstMatrixView x, double beta, MatrixView out);
  void (*inverse_row_norms)(int threads, ConstMatrixView x, MatrixView out);
  void (*mean_pool)(int threads, ConstMatrixView x, const SequenceView& sequences, MatrixView out);
  void (*mean_pool_gradient)(int threads, ConstMatrixView dout, const SequenceView& sequences,
                             MatrixView dx);
};

struct LossKernels {
  void (*cross_entropy)(int threads, ConstMatrixView logits, ConstMatrixView labels,
                        MatrixView loss, MatrixView dlogits, double* row_losses);
  void (*squared_error)(int threads, ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                        MatrixView dx);
};

/// One row-wise pass: layer_norm is residual_layer_norm without dropout and residual.
struct LayerNormKernels {
  void (*residual_layer_norm)(int threads, ConstMatrixView x, Dropout dropout,
                              ConstMatrixView residual, const SequenceView& sequences,
                              const StepState* state, ConstMatrixView gamma, ConstMatrixView beta,
                              double epsilon, MatrixView out, MatrixView normalised,
                              MatrixView rstd);
  void (*embedding_layer_norm)(int threads, const EmbeddingRows& rows, ConstMatrixView gamma,
                               ConstMatrixView beta, double epsilon, MatrixView out,
                               MatrixView normalised, MatrixView rstd);
  /// `partial`: 2 * threads * padded_columns(H) numbers.
  void (*residual_layer_norm_gradient)(int threads, ConstMatrixView dout,
                                       ConstMatrixView normalised, ConstMatrixView rstd,
                                       ConstMatrixView gamma, Dropout dropout,
                                       const SequenceView& sequences, const StepState* state,
                                       MatrixView dsum, MatrixView dx, double beta_gamma,
                                       MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                       void* partial);
};

struct AttentionKernels {
  std::size_t (*forward_workspace)(int threads, const SequenceView&, const AttentionShape&);
  void (*forward)(int threads, ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                  const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                  const StepState* state, MatrixView out, MatrixView log_sum_exp, void* workspace);
  std::size_t (*gradient_workspace)(int threads, const SequenceView&, const AttentionShape&);
  void (*gradient)(int threads, ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                   ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                   const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                   const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                   void* workspace);
};

struct RowKernels {
  void (*gather)(int threads, ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                 double beta, MatrixView out);
  void (*scatter_add)(int threads, ConstMatrixView x, ConstMatrixView ids, MatrixView out);
  void (*segment_sum)(int threads, ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                      ConstMatrixView places, std::int64_t written, MatrixView out);
};

struct OptimizerKernels {
  void (*adamw)(int threads, const OptimizerRange& range, const AdamWConstants& constants,
                const StepState* state);
  void (*sgd)(int threads, const OptimizerRange& range, const SgdConstants& constants,
              const StepState* state);
  void (*adamw_rows)(int threads, const OptimizerRows& rows, const AdamWConstants& constants,
                     const StepState* state);
  void (*sgd_rows)(int threads, const OptimizerRows& rows, const StepState* state);
  void (*pay_rows)(int threads, MatrixView table, ConstMatrixView rows, const RowDebt& debt);
};

struct PerturbationKernels {
  void (*add_normalised)(int threads, double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                         ConstMatrixView rows, MatrixView out);
  void (*add_noise)(int threads, double deviation, ConstMatrixView squared_norm,
                    std::uint64_t stream, const StepState* state, MatrixView out);
};

/// All kernels of one dtype and instruction set.
struct KernelTable {
  const ElementwiseKernels* elementwise;
  const ActivationKernels* activation;
  const CurvatureKernels* curvature;
  const ConvertKernels* convert;
  const ReductionKernels* reduction;
  const LossKernels* loss;
  const LayerNormKernels* layer_norm;
  const AttentionKernels* attention;
  const RowKernels* rows;
  const OptimizerKernels* optimizer;
  const PerturbationKernels* perturbation;
};

/// Numbers that a partial row of n columns takes: rows of different threads share no cache line.
constexpr std::int64_t padded_columns(std::int64_t columns) {
  return (columns + 31) / 32 * 32;
}

}  // namespace basis::cpu
