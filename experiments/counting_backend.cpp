#include "experiments/counting_backend.h"

#include <algorithm>
#include <utility>

namespace basis {

namespace {

double elements(ConstMatrixView x) {
  return static_cast<double>(x.element_count());
}

double bytes_of(ConstMatrixView x) {
  return x.is_absent() ? 0 : elements(x) * static_cast<double>(size_of(x.dtype));
}

/// As many rows of a table as are touched, wherever they stand.
MatrixView first_rows(MatrixView table, std::int64_t rows) {
  return {table.data, table.dtype, rows, table.columns, table.row_stride};
}

/// 2 m n k, from the operand that carries the sum over k and the other outer size.
double product_flops(ConstMatrixView a, std::int64_t n) {
  return 2 * elements(a) * static_cast<double>(n);
}

}  // namespace

void CountingBackend::add_flops(DType dtype, double flops) {
  double& sum = dtype == DType::BF16  ? count_.flops_bf16
                : dtype == DType::F64 ? count_.flops_f64
                                      : count_.flops_f32;
  sum += flops;
}

void CountingBackend::read(ConstMatrixView x) {
  count_.bytes += bytes_of(x);
}

void CountingBackend::read_all(std::initializer_list<ConstMatrixView> operands) {
  for (const ConstMatrixView& x : operands) read(x);
}

void CountingBackend::write(MatrixView out, double beta) {
  count_.bytes += (beta == 0 ? 1 : 2) * bytes_of(out);
}

void CountingBackend::read_rows(ConstMatrixView table, ConstMatrixView ids) {
  const auto rows = static_cast<double>(std::min(table.rows, ids.columns));
  count_.bytes += rows * static_cast<double>(table.columns * std::int64_t(size_of(table.dtype)));
  read(ids);
}

double CountingBackend::attended_pairs(const SequenceView& sequences, const AttentionShape& shape) {
  if (shape.queries == AttentionShape::Queries::All) return static_cast<double>(sequences.pairs);
  return static_cast<double>(sequences.tokens);
}

namespace {

struct CountedRecording {
  std::shared_ptr<void> inner;
  WorkCount count;
};

}  // namespace

WorkCount& WorkCount::operator+=(const WorkCount& other) {
  flops_f32 += other.flops_f32;
  flops_bf16 += other.flops_bf16;
  flops_f64 += other.flops_f64;
  bytes += other.bytes;
  return *this;
}

void CountingBackend::begin_recording() {
  inner_.begin_recording();
  before_recording_ = std::exchange(count_, {});
}

std::shared_ptr<void> CountingBackend::end_recording() {
  const WorkCount recorded = std::exchange(count_, before_recording_);
  return std::make_shared<CountedRecording>(CountedRecording{inner_.end_recording(), recorded});
}

void CountingBackend::replay(const std::shared_ptr<void>& recording) {
  const auto* counted = static_cast<const CountedRecording*>(recording.get());
  inner_.replay(counted->inner);
  count_ += counted->count;
}

void CountingBackend::fill(double value, MatrixView out) {
  write(out);
  inner_.fill(value, out);
}

void CountingBackend::convert(ConstMatrixView x, MatrixView out) {
  read(x);
  write(out);
  inner_.convert(x, out);
}

void CountingBackend::add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) {
  read(x);
  write(out, beta);
  inner_.add_scaled(alpha, x, beta, out);
}

void CountingBackend::scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) {
  read(x);
  read(v);
  write(out);
  inner_.scale_columns(x, v, out);
}

void CountingBackend::scale_shift_columns(ConstMatrixView x, ConstMatrixView scale,
                                          ConstMatrixView shift, MatrixView out) {
  read(x);
  read(scale);
  read(shift);
  write(out);
  inner_.scale_shift_columns(x, scale, shift, out);
}

void CountingBackend::column_sum(ConstMatrixView x, double beta, MatrixView out,
                                 Workspace workspace) {
  read(x);
  write(out, beta);
  inner_.column_sum(x, beta, out, workspace);
}

void CountingBackend::column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta,
                                 MatrixView out, Workspace workspace) {
  read(x);
  read(y);
  write(out, beta);
  inner_.column_dot(alpha, x, y, beta, out, workspace);
}

void CountingBackend::band_to_dense(ConstMatrixView band, MatrixView dense) {
  read(band);
  write(dense);
  inner_.band_to_dense(band, dense);
}

/// Of the dense matrix only the band is needed.
void CountingBackend::dense_to_band(ConstMatrixView dense, double beta, MatrixView band) {
  read(band);
  write(band, beta);
  inner_.dense_to_band(dense, beta, band);
}

void CountingBackend::inverse_row_norms(ConstMatrixView x, MatrixView out) {
  read(x);
  write(out);
  inner_.inverse_row_norms(x, out);
}

// ---- Products -----------------------------------------------------------------------------------

void CountingBackend::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                             bool transpose_b, double beta, MatrixView out) {
  add_flops(a.dtype, product_flops(a, out.columns));
  inner_.matmul(alpha, a, transpose_a, b, transpose_b, beta, out);
}

PreparedWeight CountingBackend::prepare_weight(ConstMatrixView source, DType compute) {
  PreparedWeight weight = inner_.prepare_weight(source, compute);
  count_preparing(weight);
  return weight;
}

void CountingBackend::refresh_weight(const PreparedWeight& weight) {
  inner_.refresh_weight(weight);
  count_preparing(weight);
}

/// A copy is in bf16.
void CountingBackend::count_preparing(const PreparedWeight& weight) {
  if (weight.is_plain()) return;
  read(weight.source);
  count_.bytes += elements(weight.source) * static_cast<double>(size_of(DType::BF16));
}

void CountingBackend::linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
                             MatrixView out) {
  add_flops(x.dtype, product_flops(x, out.columns));
  inner_.linear(x, weight, bias, out);
}

void CountingBackend::linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight,
                                            double beta, MatrixView out) {
  add_flops(g.dtype, product_flops(g, out.columns));
  inner_.linear_input_gradient(g, weight, beta, out);
}

void CountingBackend::linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta,
                                             MatrixView dweight, double beta_bias, MatrixView dbias,
                                             Workspace workspace) {
  if (dweight.is_absent()) {
    read(g);
  } else {
    add_flops(g.dtype, product_flops(g, x.columns));
  }
  inner_.linear_weight_gradient(g, x, beta, dweight, beta_bias, dbias, workspace);
}

// ---- Activations and dropout --------------------------------------------------------------------

void CountingBackend::activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                 MatrixView out) {
  read_all({x, bias});
  write(out);
  inner_.activation(kind, x, bias, out);
}

void CountingBackend::activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                          ConstMatrixView dout, MatrixView dx) {
  read_all({x, bias, dout});
  write(dx);
  inner_.activation_gradient(kind, x, bias, dout, dx);
}

void CountingBackend::activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                          ConstMatrixView dout, MatrixView dx, MatrixView out,
                                          double beta_bias, MatrixView dbias, Workspace workspace) {
  read_all({x, bias, dout});
  write(dx);
  write(out);
  write(dbias, beta_bias);
  inner_.activation_backward(kind, x, bias, dout, dx, out, beta_bias, dbias, workspace);
}

void CountingBackend::curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                                ConstMatrixView c, MatrixView out) {
  read_all({x, bias, beta, c});
  write(out);
  inner_.curvature(x, bias, beta, c, out);
}

void CountingBackend::curvature_gradient(ConstMatrixView x, ConstMatrixView bias,
                                         ConstMatrixView beta, ConstMatrixView c,
                                         ConstMatrixView dout, MatrixView dx, MatrixView out,
                                         double beta_bias, MatrixView dbias, double beta_beta,
                                         MatrixView dbeta, double beta_c, MatrixView dc,
                                         Workspace workspace) {
  read_all({x, bias, beta, c, dout});
  write(dx);
  write(out);
  write(dbias, beta_bias);
  write(dbeta, beta_beta);
  write(dc, beta_c);
  inner_.curvature_gradient(x, bias, beta, c, dout, dx, out, beta_bias, dbias, beta_beta, dbeta,
                            beta_c, dc, workspace);
}

void CountingBackend::dropout(ConstMatrixView x, Dropout dropout, const SequenceView& sequences,
                              const StepState* state, MatrixView out) {
  read(x);
  write(out);
  inner_.dropout(x, dropout, sequences, state, out);
}

// ---- Layer normalisation ------------------------------------------------------------------------

void CountingBackend::layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta,
                                 double epsilon, MatrixView out, MatrixView normalised,
                                 MatrixView rstd) {
  read_all({x, gamma, beta});
  write(out);
  write(normalised);
  write(rstd);
  inner_.layer_norm(x, gamma, beta, epsilon, out, normalised, rstd);
}

void CountingBackend::layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                          ConstMatrixView rstd, ConstMatrixView gamma,
                                          MatrixView dx, double beta_gamma, MatrixView dgamma,
                                          double beta_beta, MatrixView dbeta, Workspace workspace) {
  read_all({dout, normalised, rstd, gamma});
  write(dx);
  write(dgamma, beta_gamma);
  write(dbeta, beta_beta);
  inner_.layer_norm_gradient(dout, normalised, rstd, gamma, dx, beta_gamma, dgamma, beta_beta,
                             dbeta, workspace);
}

void CountingBackend::residual_layer_norm(ConstMatrixView x, Dropout dropout,
                                          ConstMatrixView residual, const SequenceView& sequences,
                                          const StepState* state, ConstMatrixView gamma,
                                          ConstMatrixView beta, double epsilon, MatrixView out,
                                          MatrixView normalised, MatrixView rstd) {
  read_all({x, residual, gamma, beta});
  write(out);
  write(normalised);
  write(rstd);
  inner_.residual_layer_norm(x, dropout, residual, sequences, state, gamma, beta, epsilon, out,
                             normalised, rstd);
}

void CountingBackend::residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                                   ConstMatrixView rstd, ConstMatrixView gamma,
                                                   Dropout dropout, const SequenceView& sequences,
                                                   const StepState* state, MatrixView dsum,
                                                   MatrixView dx, double beta_gamma,
                                                   MatrixView dgamma, double beta_beta,
                                                   MatrixView dbeta, Workspace workspace) {
  read_all({dout, normalised, rstd, gamma});
  write(dsum);
  if (dx.data != dsum.data) write(dx);
  write(dgamma, beta_gamma);
  write(dbeta, beta_beta);
  inner_.residual_layer_norm_gradient(dout, normalised, rstd, gamma, dropout, sequences, state,
                                      dsum, dx, beta_gamma, dgamma, beta_beta, dbeta, workspace);
}

// ---- Attention ----------------------------------------------------------------------------------

void CountingBackend::attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                                const SequenceView& sequences, const AttentionShape& shape,
                                Dropout dropout, const StepState* state, MatrixView out,
                                MatrixView log_sum_exp, Workspace workspace) {
  constexpr double products = 2;  // scores, and their softmax by the values
  const auto width = static_cast<double>(shape.heads * shape.head_size);
  add_flops(q.dtype, products * 2 * width * attended_pairs(sequences, shape));
  inner_.attention(q, k, v, sequences, shape, dropout, state, out, log_sum_exp, workspace);
}

void CountingBackend::attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                                         ConstMatrixView v, ConstMatrixView out,
                                         ConstMatrixView log_sum_exp, const SequenceView& sequences,
                                         const AttentionShape& shape, Dropout dropout,
                                         const StepState* state, MatrixView dq, MatrixView dk,
                                         MatrixView dv, Workspace workspace) {
  constexpr double products = 5;  // the scores once more, dP, dQ, dK, dV
  const auto width = static_cast<double>(shape.heads * shape.head_size);
  add_flops(q.dtype, products * 2 * width * attended_pairs(sequences, shape));
  inner_.attention_gradient(dout, q, k, v, out, log_sum_exp, sequences, shape, dropout, state, dq,
                            dk, dv, workspace);
}

// ---- Rows ---------------------------------------------------------------------------------------

void CountingBackend::gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids,
                                  double beta, MatrixView out) {
  read_rows(table, ids);
  write(out, beta);
  inner_.gather_rows(table, debt, ids, beta, out);
}

void CountingBackend::scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) {
  read(x);
  read_rows(out, ids);
  write(first_rows(out, std::min(out.rows, ids.columns)));
  inner_.scatter_add_rows(x, ids, out);
}

void CountingBackend::segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets,
                                       ConstMatrixView rows, ConstMatrixView places,
                                       std::int64_t written, MatrixView out) {
  read_rows(x, rows);
  read(offsets);
  read(places);
  write(first_rows(out, places.columns));
  read(first_rows(out, std::min(written, places.columns)));
  inner_.segment_sum_rows(x, offsets, rows, places, written, out);
}

void CountingBackend::pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) {
  read(rows);
  write(rows.is_absent() ? table : first_rows(table, rows.columns), 1);
  inner_.pay_rows(table, rows, debt);
}

void CountingBackend::mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) {
  read(x);
  write(out);
  inner_.mean_pool(x, sequences, out);
}

void CountingBackend::mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                                         MatrixView dx) {
  read(dout);
  write(dx);
  inner_.mean_pool_gradient(dout, sequences, dx);
}

void CountingBackend::read_embeddings(const EmbeddingRows& rows) {
  read_rows(rows.word, rows.ids);
  read_rows(rows.position, rows.positions);
  read_rows(rows.type, rows.types);
}

void CountingBackend::embedding_sum(const EmbeddingRows& rows, MatrixView out) {
  read_embeddings(rows);
  write(out);
  inner_.embedding_sum(rows, out);
}

void CountingBackend::embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma,
                                           ConstMatrixView beta, double epsilon, MatrixView out,
                                           MatrixView normalised, MatrixView rstd) {
  read_embeddings(rows);
  read(gamma);
  read(beta);
  write(out);
  write(normalised);
  write(rstd);
  inner_.embedding_layer_norm(rows, gamma, beta, epsilon, out, normalised, rstd);
}

// ---- Losses and optimiser -----------------------------------------------------------------------

void CountingBackend::cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                                    MatrixView dlogits, Workspace workspace) {
  read(logits);
  read(labels);
  write(loss);
  write(dlogits);
  inner_.cross_entropy(logits, labels, loss, dlogits, workspace);
}

void CountingBackend::squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                                    MatrixView dx) {
  read(x);
  read(y);
  write(loss);
  write(dx);
  inner_.squared_error(x, y, loss, dx);
}

void CountingBackend::squared_norm(ConstMatrixView x, double beta, MatrixView out) {
  read(x);
  write(out, beta);
  inner_.squared_norm(x, beta, out);
}

void CountingBackend::squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out) {
  for (const ConstMatrixView& part : parts) read(part);
  write(out);
  inner_.squared_norm_of_all(parts, out);
}

void CountingBackend::update(const OptimizerRange& range) {
  read(range.gradient);
  write(range.value, 1);
  write(range.moment1, 1);
  write(range.moment2, 1);
}

void CountingBackend::adamw(const OptimizerRange& range, const AdamWConstants& constants,
                            const StepState* state) {
  update(range);
  inner_.adamw(range, constants, state);
}

void CountingBackend::adamw_of_all(std::span<const OptimizerRange> ranges,
                                   const AdamWConstants& constants, const StepState* state) {
  for (const OptimizerRange& range : ranges) update(range);
  inner_.adamw_of_all(ranges, constants, state);
}

void CountingBackend::sgd(const OptimizerRange& range, const SgdConstants& constants,
                          const StepState* state) {
  read(range.gradient);
  write(range.value, 1);
  write(range.moment1, 1);
  inner_.sgd(range, constants, state);
}

/// What a slot has, in its row of the table and in its moments; the gradient of those that have
/// one.
void CountingBackend::update_rows(const OptimizerRows& rows) {
  read(rows.rows);
  read(rows.sources);
  read(rows.gradient);
  write(first_rows(rows.table, rows.rows.columns), 1);
  write(rows.moment1, 1);
  write(rows.moment2, 1);
}

void CountingBackend::adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                                 const StepState* state) {
  update_rows(rows);
  inner_.adamw_rows(rows, constants, state);
}

void CountingBackend::sgd_rows(const OptimizerRows& rows, const StepState* state) {
  update_rows(rows);
  inner_.sgd_rows(rows, state);
}

}  // namespace basis
