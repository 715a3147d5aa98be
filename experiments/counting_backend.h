#pragma once

#include <array>

#include "tensor/backend.h"

namespace basis {

/// What kernel calls need at least. Products and attention are counted in FLOPs, by the dtype that
/// they run in; everything else in compulsory bytes.
struct WorkCount {
  double flops_f32 = 0;
  double flops_bf16 = 0;
  double flops_f64 = 0;
  double bytes = 0;  // each operand read once, each output written once

  double flops() const { return flops_f32 + flops_bf16 + flops_f64; }
  WorkCount& operator+=(const WorkCount& other);
};

/// Another backend with a count of what it is asked to do. Every call goes on unchanged, so a
/// computation has the same bits with and without it.
///
/// A matrix product of (m, k) and (k, n) is 2 m n k FLOPs, attention 4 H and its gradient 10 H for
/// each pair of a query and a key of one sequence: what a call skips is not counted, what a kernel
/// adds (padding to a tile, a second pass) neither. The operands of these are not counted in bytes.
/// A row of a table is read once for each id, at most the whole table. An output with beta = 1 is
/// read too. Vectors of a row's or column's statistics count as the operands that they are. A
/// prepared weight costs reading its source and writing the copies that the backend makes. A
/// replayed recording counts what was recorded, its pairs of queries and keys those of the recorded
/// batch.
class CountingBackend final : public Backend {
 public:
  explicit CountingBackend(Backend& inner) : inner_(inner) {}

  const WorkCount& count() const { return count_; }
  void reset() { count_ = {}; }

  DeviceKind device() const override { return inner_.device(); }
  std::vector<std::pair<std::string, std::string>> description() const override {
    return inner_.description();
  }
  std::vector<std::string> product_choices() const override { return inner_.product_choices(); }
  bool is_native(DType dtype) const override { return inner_.is_native(dtype); }
  std::int64_t row_bucket() const override { return inner_.row_bucket(); }
  std::vector<std::string> own_fused_kernels() const override { return inner_.own_fused_kernels(); }

  Block reserve(std::size_t bytes) override { return inner_.reserve(bytes); }
  std::size_t peak_reserved_bytes() const override { return inner_.peak_reserved_bytes(); }
  void copy_to_device(const void* host, void* device, std::size_t bytes) override {
    inner_.copy_to_device(host, device, bytes);
  }
  void copy_to_host(const void* device, void* host, std::size_t bytes) override {
    inner_.copy_to_host(device, host, bytes);
  }
  std::unique_ptr<HostCopy> begin_copy_to_host(const void* device, std::size_t bytes) override {
    return inner_.begin_copy_to_host(device, bytes);
  }
  bool is_asynchronous() const override { return inner_.is_asynchronous(); }
  /// Not counted: no kernel call.
  std::unique_ptr<Decompositions> make_decompositions() override {
    return inner_.make_decompositions();
  }
  bool can_record() const override { return inner_.can_record(); }
  /// What is recorded counts whenever it is replayed.
  void begin_recording() override;
  std::shared_ptr<void> end_recording() override;
  void replay(const std::shared_ptr<void>& recording) override;

  void fill(double value, MatrixView out) override;
  void convert(ConstMatrixView x, MatrixView out) override;
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override;
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override;
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override;
  std::size_t column_sum_workspace(std::int64_t rows, std::int64_t columns,
                                   DType dtype) const override {
    return inner_.column_sum_workspace(rows, columns, dtype);
  }
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
                                           DType dtype) const override {
    return inner_.curvature_gradient_workspace(rows, columns, dtype);
  }
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace) override;
  void dropout(ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
               const StepState* state, MatrixView out) override;

  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override;
  std::size_t layer_norm_gradient_workspace(std::int64_t rows, std::int64_t columns,
                                            DType dtype) const override {
    return inner_.layer_norm_gradient_workspace(rows, columns, dtype);
  }
  void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised, ConstMatrixView rstd,
                           ConstMatrixView gamma, MatrixView dx, double beta_gamma,
                           MatrixView dgamma, double beta_beta, MatrixView dbeta,
                           Workspace) override;

  std::size_t attention_workspace(const SequenceView& sequences, const AttentionShape& shape,
                                  DType dtype) const override {
    return inner_.attention_workspace(sequences, shape, dtype);
  }
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout dropout,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace) override;
  std::size_t attention_gradient_workspace(const SequenceView& sequences,
                                           const AttentionShape& shape,
                                           DType dtype) const override {
    return inner_.attention_gradient_workspace(sequences, shape, dtype);
  }
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
  void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) override;
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override;
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override;

  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace) override;
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss, MatrixView dx) override;

  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override;
  void squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out) override;
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override {
    inner_.update_clip(squared_sum, clip_norm, state);
  }
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override;
  void adamw_of_all(std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                    const StepState* state) override;
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override;
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override;
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override;

  std::size_t linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out, std::int64_t in,
                                               DType dtype) const override {
    return inner_.linear_weight_gradient_workspace(rows, out, in, dtype);
  }
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
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override {
    read_all({x, squared_norm, rows});
    out.rows = x.rows;
    write(out, 1);
    inner_.add_normalised(alpha, x, squared_norm, rows, out);
  }
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override {
    read(squared_norm);
    write(out, 1);
    inner_.add_noise(deviation, squared_norm, stream, state, out);
  }
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override;

 private:
  void add_flops(DType dtype, double flops);
  void count_preparing(const PreparedWeight& weight);
  void read(ConstMatrixView x);
  void read_all(std::initializer_list<ConstMatrixView> operands);
  void write(MatrixView out, double beta = 0);
  void read_rows(ConstMatrixView table, ConstMatrixView ids);
  void read_embeddings(const EmbeddingRows& rows);
  void update(const OptimizerRange& range);
  void update_rows(const OptimizerRows& rows);
  double attended_pairs(const SequenceView& sequences, const AttentionShape& shape);

  Backend& inner_;
  WorkCount count_;
  WorkCount before_recording_;
};

}  // namespace basis
