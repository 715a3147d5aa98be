#include "tensor/cuda/backend_of_side.h"

#include "tensor/caching_allocator.h"
#include "tensor/cuda/decompositions.h"
#include "tensor/cuda/kernels/activation.h"
#include "tensor/cuda/kernels/attention.h"
#include "tensor/cuda/kernels/curvature.h"
#include "tensor/cuda/kernels/elementwise.h"
#include "tensor/cuda/kernels/layer_norm.h"
#include "tensor/cuda/kernels/loss.h"
#include "tensor/cuda/kernels/optimizer.h"
#include "tensor/cuda/kernels/perturbation.h"
#include "tensor/cuda/kernels/reduction.h"
#include "tensor/cuda/kernels/rows.h"
#include "tensor/cuda/plain.h"
#include "tensor/cuda/products.h"
#include "tensor/cuda/runtime.h"

namespace basis::cuda::BASIS_CUDA_SIDE {

namespace {

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options)
      : runtime_(options.device),
        products_(runtime_, options.is_tf32),
        stream_(runtime_.stream()),
        norm_scratch_(runtime_.reserve(squared_norm_parts * sizeof(double))) {}

  DeviceKind device() const override { return DeviceKind::Cuda; }
  bool is_native(DType dtype) const override { return dtype == DType::F32 || dtype == DType::BF16; }
  /// So that a CUDA graph serves many batches, and a product's rows are whole tiles.
  std::int64_t row_bucket() const override { return 128; }

  std::vector<std::pair<std::string, std::string>> description() const override {
    std::vector<std::pair<std::string, std::string>> entries = runtime_.description();
    for (auto& entry : products_.description()) entries.push_back(std::move(entry));
    entries.emplace_back("svd", describe_svd());
    return entries;
  }
  std::vector<std::string> product_choices() const override { return products_.choices(); }
  std::vector<std::string> own_fused_kernels() const override {
    return {"linear_weight_gradient",
            "activation_backward",
            "residual_layer_norm",
            "residual_layer_norm_gradient",
            "embedding_layer_norm",
            "squared_norm_of_all",
            "adamw_of_all"};
  }

  // ---- Memory -----------------------------------------------------------------------------------
  Block reserve(std::size_t bytes) override { return runtime_.reserve(bytes); }
  std::size_t peak_reserved_bytes() const override { return runtime_.peak_reserved_bytes(); }
  void copy_to_device(const void* host, void* device, std::size_t bytes) override {
    runtime_.copy_to_device(host, device, bytes);
  }
  void copy_to_host(const void* device, void* host, std::size_t bytes) override {
    runtime_.copy_to_host(device, host, bytes);
  }

  std::unique_ptr<HostCopy> begin_copy_to_host(const void* device, std::size_t bytes) override {
    return runtime_.begin_copy_to_host(device, bytes);
  }
  std::unique_ptr<Decompositions> make_decompositions() override {
    return BASIS_CUDA_SIDE::make_decompositions(runtime_);
  }
  bool is_asynchronous() const override { return true; }
  bool can_record() const override { return true; }
  void begin_recording() override { runtime_.begin_recording(); }
  std::shared_ptr<void> end_recording() override { return runtime_.end_recording(); }
  void replay(const std::shared_ptr<void>& recording) override { runtime_.replay(recording); }

  // ---- Elementwise and small reductions ---------------------------------------------------------
  void fill(double value, MatrixView out) override { BASIS_CUDA_SIDE::fill(stream_, value, out); }
  void convert(ConstMatrixView x, MatrixView out) override {
    BASIS_CUDA_SIDE::convert(stream_, x, out);
  }
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override {
    BASIS_CUDA_SIDE::add_scaled(stream_, alpha, x, beta, out);
  }
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override {
    BASIS_CUDA_SIDE::scale_columns(stream_, x, v, out);
  }
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override {
    BASIS_CUDA_SIDE::scale_shift_columns(stream_, x, scale, shift, out);
  }
  std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns, DType) const override {
    return BASIS_CUDA_SIDE::column_sum_workspace(rows, columns);
  }
  void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace workspace) override {
    BASIS_CUDA_SIDE::column_dot(stream_, 1, x, {}, beta, out, workspace);
  }
  void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta, MatrixView out,
                  Workspace workspace) override {
    BASIS_CUDA_SIDE::column_dot(stream_, alpha, x, y, beta, out, workspace);
  }
  void band_to_dense(ConstMatrixView band, MatrixView dense) override {
    BASIS_CUDA_SIDE::band_to_dense(stream_, band, dense);
  }
  void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) override {
    BASIS_CUDA_SIDE::dense_to_band(stream_, dense, beta, band);
  }
  void inverse_row_norms(ConstMatrixView x, MatrixView out) override {
    BASIS_CUDA_SIDE::inverse_row_norms(stream_, x, out);
  }

  // ---- Products ---------------------------------------------------------------------------------
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out) override {
    products_.matmul(alpha, a, transpose_a, b, transpose_b, beta, out);
  }
  /// bf16: one copy, row by row as the weight is, serves both directions.
  PreparedWeight prepare_weight(ConstMatrixView source, DType compute) override {
    if (compute != DType::BF16) return {source, nullptr};
    Block copy = prepared_memory_.allocate(static_cast<std::size_t>(source.element_count()) *
                                           size_of(DType::BF16));
    convert(source, prepared_view(source, copy.get()));
    return {source, std::move(copy)};
  }
  void refresh_weight(const PreparedWeight& weight) override {
    if (weight.is_plain()) return;
    convert(weight.source, prepared_view(weight.source, weight.copy.get()));
  }
  void linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
              MatrixView out) override {
    products_.linear(x, factor(weight), bias, out);
  }
  void linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                             MatrixView out) override {
    products_.matmul(1, g, false, factor(weight), false, beta, out);
  }
  void linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta, MatrixView dweight,
                              double beta_bias, MatrixView dbias, Workspace workspace) override {
    const bool wants_both = !dweight.is_absent() && !dbias.is_absent();
    if (wants_both && products_.weight_gradient(g, x, beta, dweight, beta_bias, dbias)) return;
    Backend::linear_weight_gradient(g, x, beta, dweight, beta_bias, dbias, workspace);
  }

  // ---- Activations and dropout ------------------------------------------------------------------
  void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                  MatrixView out) override {
    BASIS_CUDA_SIDE::activation(stream_, kind, x, bias, out);
  }
  void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx) override {
    BASIS_CUDA_SIDE::activation_gradient(stream_, kind, x, bias, dout, dx);
  }
  void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                           MatrixView dbias, Workspace workspace) override {
    BASIS_CUDA_SIDE::activation_backward(stream_, kind, x, bias, dout, dx, out, beta_bias, dbias,
                                         workspace);
  }
  void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta, ConstMatrixView c,
                 MatrixView out) override {
    BASIS_CUDA_SIDE::curvature(stream_, x, bias, beta, c, out);
  }
  std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                           DType) const override {
    return BASIS_CUDA_SIDE::curvature_gradient_workspace(rows, columns);
  }
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace workspace) override {
    BASIS_CUDA_SIDE::curvature_gradient(stream_, x, bias, beta, c, dout, dx, out, beta_bias, dbias,
                                        beta_beta, dbeta, beta_c, dc, workspace);
  }
  void dropout(ConstMatrixView x, Dropout site, const SequenceView& sequences,
               const StepState* state, MatrixView out) override {
    BASIS_CUDA_SIDE::dropout(stream_, x, site, sequences, state, out);
  }

  // ---- Layer normalisation ----------------------------------------------------------------------
  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override {
    residual_layer_norm(x, {}, {}, {}, nullptr, gamma, beta, epsilon, out, normalised, rstd);
  }
  std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                            DType) const override {
    return BASIS_CUDA_SIDE::layer_norm_gradient_workspace(rows, columns);
  }
  void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised, ConstMatrixView rstd,
                           ConstMatrixView gamma, MatrixView dx, double beta_gamma,
                           MatrixView dgamma, double beta_beta, MatrixView dbeta,
                           Workspace workspace) override {
    residual_layer_norm_gradient(dout, normalised, rstd, gamma, {}, {}, nullptr, dx, {}, beta_gamma,
                                 dgamma, beta_beta, dbeta, workspace);
  }
  void residual_layer_norm(ConstMatrixView x, Dropout site, ConstMatrixView residual,
                           const SequenceView& sequences, const StepState* state,
                           ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                           MatrixView out, MatrixView normalised, MatrixView rstd) override {
    BASIS_CUDA_SIDE::residual_layer_norm(stream_, x, site, residual, sequences, state, gamma, beta,
                                         epsilon, out, normalised, rstd);
  }
  void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                    ConstMatrixView rstd, ConstMatrixView gamma, Dropout site,
                                    const SequenceView& sequences, const StepState* state,
                                    MatrixView dsum, MatrixView dx, double beta_gamma,
                                    MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                    Workspace workspace) override {
    BASIS_CUDA_SIDE::residual_layer_norm_gradient(stream_, dout, normalised, rstd, gamma, site,
                                                  sequences, state, dsum, dx, beta_gamma, dgamma,
                                                  beta_beta, dbeta, workspace);
  }

  // ---- Attention --------------------------------------------------------------------------------
  std::size_t attention_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                  DType dtype) const override {
    return BASIS_CUDA_SIDE::attention_workspace(sequences, shape, dtype);
  }
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace workspace) override {
    BASIS_CUDA_SIDE::attention(stream_, q, k, v, sequences, shape, site, state, out, log_sum_exp,
                               workspace);
  }
  std::size_t attention_gradient_workspace(const SequenceView& sequences,
                                           const AttentionShape& shape,
                                           DType dtype) const override {
    return BASIS_CUDA_SIDE::attention_gradient_workspace(sequences, shape, dtype);
  }
  void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                          ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                          const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                          const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                          Workspace workspace) override {
    BASIS_CUDA_SIDE::attention_gradient(stream_, dout, q, k, v, out, log_sum_exp, sequences, shape,
                                        site, state, dq, dk, dv, workspace);
  }

  // ---- Rows -------------------------------------------------------------------------------------
  void gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids, double beta,
                   MatrixView out) override {
    BASIS_CUDA_SIDE::gather_rows(stream_, table, debt, ids, beta, out);
  }
  void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) override {
    BASIS_CUDA_SIDE::scatter_add_rows(stream_, x, ids, out);
  }
  void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                        ConstMatrixView places, std::int64_t written, MatrixView out) override {
    BASIS_CUDA_SIDE::segment_sum_rows(stream_, x, offsets, rows, places, written, out);
  }
  void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) override {
    BASIS_CUDA_SIDE::pay_rows(stream_, table, rows, debt);
  }
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override {
    BASIS_CUDA_SIDE::embedding_layer_norm(stream_, rows, gamma, beta, epsilon, out, normalised,
                                          rstd);
  }
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override {
    BASIS_CUDA_SIDE::mean_pool(stream_, x, sequences, out);
  }
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override {
    BASIS_CUDA_SIDE::mean_pool_gradient(stream_, dout, sequences, dx);
  }

  // ---- Losses -----------------------------------------------------------------------------------
  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace workspace) override {
    BASIS_CUDA_SIDE::cross_entropy(stream_, logits, labels, loss, dlogits, workspace);
  }
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                     MatrixView dx) override {
    BASIS_CUDA_SIDE::squared_error(stream_, x, y, loss, dx);
  }

  // ---- Optimiser --------------------------------------------------------------------------------
  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override {
    auto* scratch = reinterpret_cast<double*>(norm_scratch_.get());
    BASIS_CUDA_SIDE::squared_norm(stream_, x, beta, out, scratch);
  }
  void squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out) override {
    if (is_plain("optimizer")) return Backend::squared_norm_of_all(parts, out);
    auto* scratch = reinterpret_cast<double*>(norm_scratch_.get());
    BASIS_CUDA_SIDE::squared_norm_of_all(stream_, parts, out, scratch);
  }
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override {
    BASIS_CUDA_SIDE::update_clip(stream_, squared_sum, clip_norm, state);
  }
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override {
    BASIS_CUDA_SIDE::adamw(stream_, range, constants, state);
  }
  void adamw_of_all(std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                    const StepState* state) override {
    if (is_plain("optimizer")) return Backend::adamw_of_all(ranges, constants, state);
    BASIS_CUDA_SIDE::adamw_of_all(stream_, ranges, constants, state);
  }
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override {
    BASIS_CUDA_SIDE::sgd(stream_, range, constants, state);
  }
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override {
    BASIS_CUDA_SIDE::adamw_rows(stream_, rows, constants, state);
  }
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override {
    BASIS_CUDA_SIDE::add_normalised(stream_, alpha, x, squared_norm, rows, out);
  }
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override {
    BASIS_CUDA_SIDE::add_noise(stream_, deviation, squared_norm, stream, state, out);
  }
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override {
    BASIS_CUDA_SIDE::sgd_rows(stream_, rows, state);
  }

 private:
  static MatrixView prepared_view(ConstMatrixView source, void* data) {
    return {data, DType::BF16, source.rows, source.columns, source.columns};
  }
  /// What a product with the weight reads.
  static ConstMatrixView factor(const PreparedWeight& weight) {
    return weight.is_plain() ? weight.source : prepared_view(weight.source, weight.copy.get());
  }

  Runtime runtime_;
  Products products_;
  Stream stream_;
  Block norm_scratch_;  // of squared_norm
  CachingAllocator prepared_memory_{*this};
};

}  // namespace

std::unique_ptr<Backend> make_backend(const CudaOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace basis::cuda::BASIS_CUDA_SIDE
