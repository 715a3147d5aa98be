#include "tensor/cpu/cpu_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "tensor/caching_allocator.h"
#include "tensor/cpu/blas.h"
#include "tensor/cpu/kernels/select.h"
#include "tensor/cpu/memory.h"
#include "tensor/cpu/products.h"
#include "tensor/error.h"

namespace basis {

namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, Isa isa)
      : threads_(threads),
        isa_(isa),
        f32_(cpu::kernels_f32(isa)),
        bf16_(cpu::kernels_bf16(isa)),
        f64_(cpu::kernels_f64()),
        products_(threads, isa, f32_) {}

  DeviceKind device() const override { return DeviceKind::Cpu; }
  bool is_native(DType dtype) const override {
    if (dtype == DType::BF16) return library_for_large(dtype) == cpu::Library::OneDnn;
    return dtype == DType::F32 || dtype == DType::F64;
  }
  std::int64_t row_bucket() const override { return 64; }

  std::vector<std::pair<std::string, std::string>> description() const override {
    std::vector<std::pair<std::string, std::string>> entries = {
        {"device", "cpu"},
        {"processor", processor_name()},
        {"kernels", name_of(isa_)},
        {"processor supports", name_of(supported_isa())},
        {"threads", std::to_string(threads_)}};
    for (auto& entry : cpu::describe_blas()) entries.push_back(std::move(entry));
    entries.emplace_back("onednn",
                         cpu::OneDnn::version().empty() ? "none" : cpu::OneDnn::version());
    entries.emplace_back("f32 products", name_of(library_for_large(DType::F32)));
    entries.emplace_back("bf16 products", name_of(library_for_large(DType::BF16)));
    return entries;
  }

  std::vector<std::string> own_fused_kernels() const override {
    return {"linear_weight_gradient", "activation_backward", "residual_layer_norm",
            "residual_layer_norm_gradient", "embedding_layer_norm"};
  }

  // ---- Memory -----------------------------------------------------------------------------------
  Block reserve(std::size_t bytes) override { return cpu::reserve(bytes); }
  void copy_to_device(const void* host, void* device, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void copy_to_host(const void* device, void* host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }

  // ---- Elementwise and small reductions ---------------------------------------------------------
  void fill(double value, MatrixView out) override {
    table(out.dtype, "fill").elementwise->fill(threads_, value, out);
  }
  void convert(ConstMatrixView x, MatrixView out) override {
    f32_.convert->convert(threads_, x, out);
  }
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override {
    table(x.dtype, "add_scaled").elementwise->add_scaled(threads_, alpha, x, beta, out);
  }
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override {
    table(x.dtype, "scale_columns").elementwise->scale_columns(threads_, x, v, out);
  }
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override {
    table(x.dtype, "scale_shift_columns")
        .elementwise->scale_shift_columns(threads_, x, scale, shift, out);
  }
  std::size_t column_sum_workspace(std::int64_t, std::int64_t columns, DType dtype) const override {
    return static_cast<std::size_t>(threads_ * cpu::padded_columns(columns)) *
           size_of(accumulation_dtype(dtype));
  }
  void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace workspace) override {
    table(x.dtype, "column_sum")
        .reduction->column_dot(threads_, 1, x, {}, beta, out, workspace.data);
  }
  void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta, MatrixView out,
                  Workspace workspace) override {
    table(x.dtype, "column_dot")
        .reduction->column_dot(threads_, alpha, x, y, beta, out, workspace.data);
  }
  void band_to_dense(ConstMatrixView band, MatrixView dense) override;
  void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) override;
  void inverse_row_norms(ConstMatrixView x, MatrixView out) override {
    table(x.dtype, "inverse_row_norms").reduction->inverse_row_norms(threads_, x, out);
  }

  // ---- Products ---------------------------------------------------------------------------------
  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out) override {
    products_.matmul(alpha, a, transpose_a, b, transpose_b, beta, out);
  }
  /// f32 and f64: the weight itself. bf16: a copy, row by row as the weight is: oneDNN's products
  /// with it are within 6 % of those with its own layouts, forward and backward alike (measured on
  /// Zen 5), and one copy serves both.
  PreparedWeight prepare_weight(ConstMatrixView source, DType compute) override {
    if (compute != DType::BF16) return {source, nullptr};
    Block copy = prepared_memory_.allocate(static_cast<std::size_t>(source.element_count()) *
                                           size_of(DType::BF16));
    f32_.convert->convert(threads_, source, prepared_view(source, copy.get()));
    return {source, std::move(copy)};
  }
  void refresh_weight(const PreparedWeight& weight) override {
    if (weight.is_plain()) return;
    f32_.convert->convert(threads_, weight.source, prepared_view(weight.source, weight.copy.get()));
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
    if (wants_both && beta == 0 && beta_bias == 0 &&
        products_.weight_gradient(g, x, dweight, dbias)) {
      return;
    }
    Backend::linear_weight_gradient(g, x, beta, dweight, beta_bias, dbias, workspace);
  }

  // ---- Activations and dropout ------------------------------------------------------------------
  void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                  MatrixView out) override {
    table(x.dtype, "activation").activation->activation(threads_, kind, x, bias, out);
  }
  void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx) override {
    table(x.dtype, "activation_gradient")
        .activation->activation_gradient(threads_, kind, x, bias, dout, dx);
  }
  void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                           MatrixView dbias, Workspace workspace) override {
    table(x.dtype, "activation_backward")
        .activation->activation_backward(threads_, kind, x, bias, dout, dx, out, beta_bias, dbias,
                                         workspace.data);
  }
  void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta, ConstMatrixView c,
                 MatrixView out) override {
    table(x.dtype, "curvature").curvature->curvature(threads_, x, bias, beta, c, out);
  }
  std::size_t curvature_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                           DType dtype) const override {
    return 3 * column_sum_workspace(rows, columns, dtype);
  }
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace workspace) override {
    table(x.dtype, "curvature_gradient")
        .curvature->curvature_gradient(threads_, x, bias, beta, c, dout, dx, out, beta_bias, dbias,
                                       beta_beta, dbeta, beta_c, dc, workspace.data);
  }
  void dropout(ConstMatrixView x, Dropout site, const SequenceView& sequences,
               const StepState* state, MatrixView out) override {
    table(x.dtype, "dropout").elementwise->dropout(threads_, x, site, sequences, state, out);
  }

  // ---- Layer normalisation ----------------------------------------------------------------------
  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override {
    residual_layer_norm(x, {}, {}, {}, nullptr, gamma, beta, epsilon, out, normalised, rstd);
  }
  std::size_t layer_norm_gradient_workspace(std::int64_t, std::int64_t columns,
                                            DType dtype) const override {
    return 2 * column_sum_workspace(0, columns, dtype);
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
    table(x.dtype, "layer_norm")
        .layer_norm->residual_layer_norm(threads_, x, site, residual, sequences, state, gamma, beta,
                                         epsilon, out, normalised, rstd);
  }
  void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                    ConstMatrixView rstd, ConstMatrixView gamma, Dropout site,
                                    const SequenceView& sequences, const StepState* state,
                                    MatrixView dsum, MatrixView dx, double beta_gamma,
                                    MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                    Workspace workspace) override {
    table(dout.dtype, "layer_norm_gradient")
        .layer_norm->residual_layer_norm_gradient(threads_, dout, normalised, rstd, gamma, site,
                                                  sequences, state, dsum, dx, beta_gamma, dgamma,
                                                  beta_beta, dbeta, workspace.data);
  }

  // ---- Attention --------------------------------------------------------------------------------
  std::size_t attention_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                  DType dtype) const override {
    return table(dtype, "attention").attention->forward_workspace(threads_, sequences, shape);
  }
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace workspace) override {
    table(q.dtype, "attention")
        .attention->forward(threads_, q, k, v, sequences, shape, site, state, out, log_sum_exp,
                            workspace.data);
  }
  std::size_t attention_gradient_workspace(const SequenceView& sequences,
                                           const AttentionShape& shape,
                                           DType dtype) const override {
    return table(dtype, "attention_gradient")
        .attention->gradient_workspace(threads_, sequences, shape);
  }
  void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                          ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                          const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                          const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                          Workspace workspace) override {
    table(q.dtype, "attention_gradient")
        .attention->gradient(threads_, dout, q, k, v, out, log_sum_exp, sequences, shape, site,
                             state, dq, dk, dv, workspace.data);
  }

  // ---- Rows -------------------------------------------------------------------------------------
  void gather_rows(ConstMatrixView from, const RowDebt& debt, ConstMatrixView ids, double beta,
                   MatrixView out) override {
    table(out.dtype, "gather_rows").rows->gather(threads_, from, debt, ids, beta, out);
  }
  void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) override {
    table(x.dtype, "scatter_add_rows").rows->scatter_add(threads_, x, ids, out);
  }
  void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                        ConstMatrixView places, std::int64_t written, MatrixView out) override {
    table(x.dtype, "segment_sum_rows")
        .rows->segment_sum(threads_, x, offsets, rows, places, written, out);
  }
  void pay_rows(MatrixView from, ConstMatrixView rows, const RowDebt& debt) override {
    table(from.dtype, "pay_rows").optimizer->pay_rows(threads_, from, rows, debt);
  }
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override {
    table(out.dtype, "embedding_layer_norm")
        .layer_norm->embedding_layer_norm(threads_, rows, gamma, beta, epsilon, out, normalised,
                                          rstd);
  }
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override {
    table(x.dtype, "mean_pool").reduction->mean_pool(threads_, x, sequences, out);
  }
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override {
    table(dx.dtype, "mean_pool_gradient")
        .reduction->mean_pool_gradient(threads_, dout, sequences, dx);
  }

  // ---- Losses -----------------------------------------------------------------------------------
  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace workspace) override {
    table(logits.dtype, "cross_entropy")
        .loss->cross_entropy(threads_, logits, labels, loss, dlogits,
                             static_cast<double*>(workspace.data));
  }
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                     MatrixView dx) override {
    table(x.dtype, "squared_error").loss->squared_error(threads_, x, y, loss, dx);
  }

  // ---- Optimiser --------------------------------------------------------------------------------
  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override {
    table(x.dtype, "squared_norm").reduction->squared_norm(threads_, x, beta, out);
  }
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override {
    const double norm = std::sqrt(*squared_sum.as<double>());
    state->gradient_norm = norm;
    if (!std::isfinite(norm)) state->skip_update = 1;
    state->clip_factor = clip_norm == 0 ? 1 : std::min(1.0, clip_norm / (norm + 1e-6));
  }
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override {
    table(range.value.dtype, "adamw").optimizer->adamw(threads_, range, constants, state);
  }
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override {
    table(range.value.dtype, "sgd").optimizer->sgd(threads_, range, constants, state);
  }
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override {
    table(rows.table.dtype, "adamw_rows").optimizer->adamw_rows(threads_, rows, constants, state);
  }
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override {
    table(out.dtype, "add_normalised")
        .perturbation->add_normalised(threads_, alpha, x, squared_norm, rows, out);
  }
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override {
    table(out.dtype, "add_noise")
        .perturbation->add_noise(threads_, deviation, squared_norm, stream, state, out);
  }
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override {
    table(rows.table.dtype, "sgd_rows").optimizer->sgd_rows(threads_, rows, state);
  }

 private:
  static MatrixView prepared_view(ConstMatrixView source, void* data) {
    return {data, DType::BF16, source.rows, source.columns, source.columns};
  }
  /// What a product with the weight reads.
  static ConstMatrixView factor(const PreparedWeight& weight) {
    return weight.is_plain() ? weight.source : prepared_view(weight.source, weight.copy.get());
  }
  cpu::Library library_for_large(DType dtype) const {
    constexpr std::int64_t work = 1 << 30;
    return cpu::library_for(isa_, dtype, dtype, 0, work);
  }
  const cpu::KernelTable& table(DType dtype, const char* kernel) const {
    if (dtype == DType::F32) return f32_;
    if (dtype == DType::F64) return f64_;
    if (dtype == DType::BF16) return bf16_;
    throw Error(fmt::format("{}: computes in f32, bf16 or f64, not in {}", kernel, name_of(dtype)));
  }

  int threads_;
  Isa isa_;
  const cpu::KernelTable& f32_;
  const cpu::KernelTable& bf16_;
  const cpu::KernelTable& f64_;
  cpu::Products products_;
  CachingAllocator prepared_memory_{*this};
};

template <class T>
void spread_band(ConstMatrixView band, MatrixView dense) {
  const std::int64_t half = (band.rows - 1) / 2;
  const std::int64_t k = dense.columns;
  for (std::int64_t i = 0; i < k; ++i) {
    T* row = dense.as<T>() + i * dense.row_stride;
    std::fill(row, row + k, T(0));
    for (std::int64_t j = std::max<std::int64_t>(0, i - half); j < std::min(k, i + half + 1); ++j) {
      row[j] = band.as<T>()[(half + j - i) * band.row_stride + i];
    }
  }
}

template <class T>
void collect_band(ConstMatrixView dense, double beta, MatrixView band) {
  const std::int64_t half = (band.rows - 1) / 2;
  const std::int64_t k = dense.columns;
  for (std::int64_t diagonal = 0; diagonal < band.rows; ++diagonal) {
    T* row = band.as<T>() + diagonal * band.row_stride;
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t j = i + diagonal - half;
      const T value = j >= 0 && j < k ? dense.as<T>()[i * dense.row_stride + j] : T(0);
      row[i] = beta == 0 ? value : static_cast<T>(beta) * row[i] + value;
    }
  }
}

void CpuBackend::band_to_dense(ConstMatrixView band, MatrixView dense) {
  table(dense.dtype, "band_to_dense");
  if (dense.dtype == DType::F64) return spread_band<double>(band, dense);
  spread_band<float>(band, dense);
}

void CpuBackend::dense_to_band(ConstMatrixView dense, double beta, MatrixView band) {
  table(dense.dtype, "dense_to_band");
  if (dense.dtype == DType::F64) return collect_band<double>(dense, beta, band);
  collect_band<float>(dense, beta, band);
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads, Isa isa) {
  cpu::check_blas();
  if (threads < 0) throw Error(fmt::format("cpu backend: {} threads; 0 means all", threads));
  if (isa > supported_isa()) {
    throw Error(fmt::format("cpu backend: this processor has {}, not {}", name_of(supported_isa()),
                            name_of(isa)));
  }
  cpu::OneDnn::limit_to(std::max(isa, chosen_isa()));
  return std::make_unique<CpuBackend>(threads == 0 ? chosen_threads() : threads, isa);
}

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return make_cpu_backend(threads, chosen_isa());
}

}  // namespace basis
