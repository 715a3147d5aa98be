#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tensor/backend.h"

namespace basis::behaviour {

/// The CPU backend as a device whose memory the host cannot reach: it is there while a kernel or a
/// copy runs and at no other time, so host code that follows a pointer into it crashes. A pointer
/// that a kernel is given and that lies anywhere else is an InternalError. Kernels are the CPU's:
/// same numbers, bit for bit. From one thread.
class FarBackend final : public Backend {
 public:
  /// `is_asynchronous`: what it says of itself; kernels run at once all the same.
  explicit FarBackend(int threads = 1, bool is_asynchronous = false);
  ~FarBackend() override;

  /// How often memory was asked for.
  std::size_t reservations() const { return reservations_; }

  DeviceKind device() const override { return DeviceKind::Cuda; }
  std::vector<std::pair<std::string, std::string>> description() const override {
    return inner_->description();
  }
  bool is_native(DType dtype) const override { return inner_->is_native(dtype); }
  std::int64_t row_bucket() const override { return inner_->row_bucket(); }
  std::vector<std::string> own_fused_kernels() const override {
    return inner_->own_fused_kernels();
  }
  bool is_asynchronous() const override { return is_asynchronous_; }

  Block reserve(std::size_t bytes) override;
  void copy_to_device(const void* host, void* device, std::size_t bytes) override;
  void copy_to_host(const void* device, void* host, std::size_t bytes) override;

  void fill(double value, MatrixView out) override;
  void convert(ConstMatrixView x, MatrixView out) override;
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override;
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override;
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override;
  std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns,
                                   DType dtype) const override;
  void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace) override;
  void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta, MatrixView out,
                  Workspace) override;
  void band_to_dense(ConstMatrixView band, MatrixView dense) override;
  void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) override;
  void inverse_row_norms(ConstMatrixView x, MatrixView out) override;

  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out) override;
  PreparedWeight prepare_weight(ConstMatrixView source, DType compute) override;
  void refresh_weight(const PreparedWeight& weight) override;
  void linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
              MatrixView out) override;
  void linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                             MatrixView out) override;

  void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                  MatrixView out) override;
  void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx) override;
  void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta, ConstMatrixView c,
                 MatrixView out) override;
  std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                           DType dtype) const override;
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace workspace) override;
  void dropout(ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
               const StepState* state, MatrixView out) override;

  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override;
  std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                            DType dtype) const override;
  void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised, ConstMatrixView rstd,
                           ConstMatrixView gamma, MatrixView dx, double beta_gamma,
                           MatrixView dgamma, double beta_beta, MatrixView dbeta,
                           Workspace) override;

  std::size_t attention_workspace(const SequenceView&, const AttentionShape&,
                                  DType dtype) const override;
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace) override;
  std::size_t attention_gradient_workspace(const SequenceView&, const AttentionShape&,
                                           DType dtype) const override;
  void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                          ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                          const SequenceView& sequences, const AttentionShape& shape,
                          Dropout dropout, const StepState* state, MatrixView dq, MatrixView dk,
                          MatrixView dv, Workspace) override;

  void gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids, double beta,
                   MatrixView out) override;
  void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) override;
  void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                        ConstMatrixView places, std::int64_t written, MatrixView out) override;
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override;
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override;
  void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) override;
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override;
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override;

  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace) override;
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss, MatrixView dx) override;

  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override;
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override;
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override;
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override;
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override;
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override;

  std::size_t linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out, std::int64_t in,
                                               DType dtype) const override;
  void linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta, MatrixView dweight,
                              double beta_bias, MatrixView dbias, Workspace) override;
  void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                           MatrixView dbias, Workspace) override;
  void residual_layer_norm(ConstMatrixView x, Dropout dropout, ConstMatrixView residual,
                           const SequenceView& sequences, const StepState* state,
                           ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                           MatrixView out, MatrixView normalised, MatrixView rstd) override;
  void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                    ConstMatrixView rstd, ConstMatrixView gamma, Dropout dropout,
                                    const SequenceView& sequences, const StepState* state,
                                    MatrixView dsum, MatrixView dx, double beta_gamma,
                                    MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                    Workspace) override;
  void embedding_sum(const EmbeddingRows& rows, MatrixView out) override;
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override;

 private:
  class Pool;
  class Open;
  /// Checks the pointers in `arguments`, opens the memory and calls `kernel` of the CPU's backend.
  template <class Result, class... Parameters, class... Arguments>
  Result call(Result (Backend::*kernel)(Parameters...), const Arguments&... arguments);

  std::unique_ptr<Backend> inner_;
  std::shared_ptr<Pool> pool_;  // shared with blocks, which may outlast the backend
  std::size_t reservations_ = 0;
  bool is_asynchronous_;
};

}  // namespace basis::behaviour
