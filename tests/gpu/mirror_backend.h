#pragma once

#include <memory>

#include "tensor/caching_allocator.h"
#include "tests/gpu/mirror.h"

namespace basis {

/// Another backend's kernels on memory of the host: every call copies its operands to the device
/// and back (Mirror), so that tests written for host memory run on a GPU.
class MirrorBackend final : public Backend {
 public:
  explicit MirrorBackend(std::unique_ptr<Backend> inner);

  DeviceKind device() const override { return inner_->device(); }
  std::vector<std::pair<std::string, std::string>> description() const override {
    return inner_->description();
  }
  bool is_native(DType dtype) const override { return inner_->is_native(dtype); }
  std::int64_t row_bucket() const override { return inner_->row_bucket(); }
  std::vector<std::string> own_fused_kernels() const override {
    return inner_->own_fused_kernels();
  }

  /// Memory of the host.
  Block reserve(std::size_t bytes) override;
  void copy_to_device(const void* host, void* device, std::size_t bytes) override;
  void copy_to_host(const void* device, void* host, std::size_t bytes) override;

  PreparedWeight prepare_weight(ConstMatrixView source, DType compute) override;
  void refresh_weight(const PreparedWeight& weight) override;
  void fill(double value, MatrixView out) override { on_device(&Backend::fill, value, out); }
  void convert(ConstMatrixView x, MatrixView out) override { on_device(&Backend::convert, x, out); }
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override {
    on_device(&Backend::add_scaled, alpha, x, beta, out);
  }
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override {
    on_device(&Backend::scale_columns, x, v, out);
  }
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override {
    on_device(&Backend::scale_shift_columns, x, scale, shift, out);
  }
  std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns,
                                   DType dtype) const override {
    return inner_->column_sum_workspace(rows, columns, dtype);
  }
  void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace workspace) override {
    on_device(&Backend::column_sum, x, beta, out, workspace);
  }
  void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta, MatrixView out,
                  Workspace workspace) override {
    on_device(&Backend::column_dot, alpha, x, y, beta, out, workspace);
  }
  void band_to_dense(ConstMatrixView band, MatrixView dense) override {
    on_device(&Backend::band_to_dense, band, dense);
  }
  void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) override {
    on_device(&Backend::dense_to_band, dense, beta, band);
  }
  void inverse_row_norms(ConstMatrixView x, MatrixView out) override {
    on_device(&Backend::inverse_row_norms, x, out);
  }
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out) override {
    on_device(&Backend::matmul, alpha, a, transpose_a, b, transpose_b, beta, out);
  }
  void linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
              MatrixView out) override {
    on_device(&Backend::linear, x, weight, bias, out);
  }
  void linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                             MatrixView out) override {
    on_device(&Backend::linear_input_gradient, g, weight, beta, out);
  }
  void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                  MatrixView out) override {
    on_device(&Backend::activation, kind, x, bias, out);
  }
  void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx) override {
    on_device(&Backend::activation_gradient, kind, x, bias, dout, dx);
  }
  void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta, ConstMatrixView c,
                 MatrixView out) override {
    on_device(&Backend::curvature, x, bias, beta, c, out);
  }
  std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                           DType dtype) const override {
    return inner_->curvature_gradient_workspace(rows, columns, dtype);
  }
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace workspace) override {
    on_device(&Backend::curvature_gradient, x, bias, beta, c, dout, dx, out, beta_bias, dbias,
              beta_beta, dbeta, beta_c, dc, workspace);
  }
  void dropout(ConstMatrixView x, Dropout site, const SequenceView& sequences,
               const StepState* state, MatrixView out) override {
    on_device(&Backend::dropout, x, site, sequences, state, out);
  }
  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override {
    on_device(&Backend::layer_norm, x, gamma, beta, epsilon, out, normalised, rstd);
  }
  std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                            DType dtype) const override {
    return inner_->layer_norm_gradient_workspace(rows, columns, dtype);
  }
  void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised, ConstMatrixView rstd,
                           ConstMatrixView gamma, MatrixView dx, double beta_gamma,
                           MatrixView dgamma, double beta_beta, MatrixView dbeta,
                           Workspace workspace) override {
    on_device(&Backend::layer_norm_gradient, dout, normalised, rstd, gamma, dx, beta_gamma, dgamma,
              beta_beta, dbeta, workspace);
  }
  std::size_t attention_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                  DType dtype) const override {
    return inner_->attention_workspace(sequences, shape, dtype);
  }
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace workspace) override {
    on_device(&Backend::attention, q, k, v, sequences, shape, site, state, out, log_sum_exp,
              workspace);
  }
  std::size_t attention_gradient_workspace(const SequenceView& sequences,
                                           const AttentionShape& shape,
                                           DType dtype) const override {
    return inner_->attention_gradient_workspace(sequences, shape, dtype);
  }
  void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                          ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                          const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                          const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                          Workspace workspace) override {
    on_device(&Backend::attention_gradient, dout, q, k, v, out, log_sum_exp, sequences, shape, site,
              state, dq, dk, dv, workspace);
  }
  void gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids, double beta,
                   MatrixView out) override {
    on_device(&Backend::gather_rows, table, DebtOfTable{debt, table.rows}, ids, beta, out);
  }
  void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) override {
    on_device(&Backend::scatter_add_rows, x, ids, out);
  }
  void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                        ConstMatrixView places, std::int64_t written, MatrixView out) override {
    on_device(&Backend::segment_sum_rows, x, offsets, rows, places, written, out);
  }
  void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) override {
    on_device(&Backend::pay_rows, table, rows, DebtOfTable{debt, table.rows});
  }
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override {
    on_device(&Backend::mean_pool, x, sequences, out);
  }
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override {
    on_device(&Backend::mean_pool_gradient, dout, sequences, dx);
  }
  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace workspace) override {
    on_device(&Backend::cross_entropy, logits, labels, loss, dlogits, workspace);
  }
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                     MatrixView dx) override {
    on_device(&Backend::squared_error, x, y, loss, dx);
  }
  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override {
    on_device(&Backend::squared_norm, x, beta, out);
  }
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override {
    on_device(&Backend::update_clip, squared_sum, clip_norm, state);
  }
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override {
    on_device(&Backend::adamw, range, constants, state);
  }
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override {
    on_device(&Backend::sgd, range, constants, state);
  }
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override {
    on_device(&Backend::adamw_rows, rows, constants, state);
  }
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override {
    on_device(&Backend::add_normalised, alpha, x, squared_norm, rows, out);
  }
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override {
    on_device(&Backend::add_noise, deviation, squared_norm, stream, state, out);
  }
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override {
    on_device(&Backend::sgd_rows, rows, state);
  }
  std::size_t linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out, std::int64_t in,
                                               DType dtype) const override {
    return inner_->linear_weight_gradient_workspace(rows, out, in, dtype);
  }
  void linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta, MatrixView dweight,
                              double beta_bias, MatrixView dbias, Workspace workspace) override {
    on_device(&Backend::linear_weight_gradient, g, x, beta, dweight, beta_bias, dbias, workspace);
  }
  void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                           MatrixView dbias, Workspace workspace) override {
    on_device(&Backend::activation_backward, kind, x, bias, dout, dx, out, beta_bias, dbias,
              workspace);
  }
  void residual_layer_norm(ConstMatrixView x, Dropout site, ConstMatrixView residual,
                           const SequenceView& sequences, const StepState* state,
                           ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                           MatrixView out, MatrixView normalised, MatrixView rstd) override {
    on_device(&Backend::residual_layer_norm, x, site, residual, sequences, state, gamma, beta,
              epsilon, out, normalised, rstd);
  }
  void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                    ConstMatrixView rstd, ConstMatrixView gamma, Dropout site,
                                    const SequenceView& sequences, const StepState* state,
                                    MatrixView dsum, MatrixView dx, double beta_gamma,
                                    MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                    Workspace workspace) override {
    on_device(&Backend::residual_layer_norm_gradient, dout, normalised, rstd, gamma, site,
              sequences, state, dsum, dx, beta_gamma, dgamma, beta_beta, dbeta, workspace);
  }
  void squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out) override {
    on_device(&Backend::squared_norm_of_all,
              std::vector<ConstMatrixView>(parts.begin(), parts.end()), out);
  }
  void adamw_of_all(std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                    const StepState* state) override {
    on_device(&Backend::adamw_of_all, std::vector<OptimizerRange>(ranges.begin(), ranges.end()),
              constants, state);
  }
  void embedding_sum(const EmbeddingRows& rows, MatrixView out) override {
    on_device(&Backend::embedding_sum, rows, out);
  }
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override {
    on_device(&Backend::embedding_layer_norm, rows, gamma, beta, epsilon, out, normalised, rstd);
  }

 private:
  template <class... Parameters, class... Arguments>
  void on_device(void (Backend::*kernel)(Parameters...), const Arguments&... arguments) {
    mirrored(
        *inner_, memory_, [&](auto&... mapped) { (inner_.get()->*kernel)(mapped...); },
        arguments...);
  }

  std::unique_ptr<Backend> inner_;
  CachingAllocator memory_{*inner_};  // of the device
};

}  // namespace basis
