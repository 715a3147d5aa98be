#include "tests/tensor/reference_backend.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "tensor/error.h"
#include "tests/tensor/reference_functions.h"
#include "tests/tensor/wide_copies.h"

namespace basis {

namespace {

std::int32_t id_at(ConstMatrixView ids, std::int64_t t) {
  return ids.as<std::int32_t>()[t];
}

/// beta * out, where beta 0 forgets what stands there.
double kept(double beta, MatrixView out, std::int64_t i, std::int64_t j) {
  return beta == 0 ? 0 : beta * element(out, i, j);
}

/// A view's elements as numbers: attention reads each of them hundreds of times.
class Doubles {
 public:
  explicit Doubles(ConstMatrixView view) : columns_(view.columns) {
    numbers_.reserve(static_cast<std::size_t>(view.element_count()));
    for (std::int64_t i = 0; i < view.rows; ++i) {
      for (std::int64_t j = 0; j < view.columns; ++j) numbers_.push_back(element(view, i, j));
    }
  }
  double operator()(std::int64_t i, std::int64_t j) const {
    return numbers_.data()[i * columns_ + j];
  }

 private:
  std::int64_t columns_;
  std::vector<double> numbers_;
};

class ReferenceBackend final : public Backend {
 public:
  DeviceKind device() const override { return DeviceKind::Cpu; }
  std::vector<std::pair<std::string, std::string>> description() const override {
    return {{"device", "reference"}};
  }
  bool is_native(DType) const override { return true; }
  std::int64_t row_bucket() const override { return 64; }
  std::vector<std::string> own_fused_kernels() const override { return {}; }

  Block reserve(std::size_t bytes) override {
    return Block(new std::byte[bytes + 1], [](std::byte* p) { delete[] p; });
  }
  void copy_to_device(const void* host, void* device, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void copy_to_host(const void* device, void* host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }

  void fill(double value, MatrixView out) override {
    for_each(out, [&](std::int64_t, std::int64_t) { return value; });
  }
  void convert(ConstMatrixView x, MatrixView out) override {
    for_each(out, [&](std::int64_t i, std::int64_t j) { return element(x, i, j); });
  }
  void add_scaled(double alpha, ConstMatrixView x, double beta, MatrixView out) override {
    for_each(out, [&](std::int64_t i, std::int64_t j) {
      return alpha * element(x, i, j) + kept(beta, out, i, j);
    });
  }
  void scale_shift_columns(ConstMatrixView x, ConstMatrixView scale, ConstMatrixView shift,
                           MatrixView out) override {
    for_each(out, [&](std::int64_t i, std::int64_t j) {
      return element(x, i, j) * element(scale, 0, j) + element(shift, 0, j);
    });
  }
  void scale_columns(ConstMatrixView x, ConstMatrixView v, MatrixView out) override {
    for_each(out,
             [&](std::int64_t i, std::int64_t j) { return element(x, i, j) * element(v, 0, j); });
  }
  std::size_t column_sum_workspace(std::int64_t, std::int64_t, DType) const override { return 0; }
  void column_sum(ConstMatrixView x, double beta, MatrixView out, Workspace) override {
    for_each(out, [&](std::int64_t, std::int64_t j) {
      double sum = 0;
      for (std::int64_t t = 0; t < x.rows; ++t) sum += element(x, t, j);
      return kept(beta, out, 0, j) + sum;
    });
  }
  void column_dot(double alpha, ConstMatrixView x, ConstMatrixView y, double beta, MatrixView out,
                  Workspace) override {
    for_each(out, [&](std::int64_t, std::int64_t j) {
      double sum = 0;
      for (std::int64_t t = 0; t < x.rows; ++t) sum += element(x, t, j) * element(y, t, j);
      return kept(beta, out, 0, j) + alpha * sum;
    });
  }
  void band_to_dense(ConstMatrixView band, MatrixView dense) override {
    const std::int64_t d = (band.rows - 1) / 2;
    for_each(dense, [&](std::int64_t i, std::int64_t j) {
      return std::abs(i - j) <= d ? element(band, d + j - i, i) : 0;
    });
  }
  void dense_to_band(ConstMatrixView dense, double beta, MatrixView band) override {
    const std::int64_t d = (band.rows - 1) / 2;
    for_each(band, [&](std::int64_t r, std::int64_t i) {
      const std::int64_t j = i + r - d;
      const bool is_inside = j >= 0 && j < dense.columns;
      return kept(beta, band, r, i) + (is_inside ? element(dense, i, j) : 0);
    });
  }
  void inverse_row_norms(ConstMatrixView x, MatrixView out) override {
    for_each(out, [&](std::int64_t, std::int64_t i) {
      double sum = 0;
      for (std::int64_t j = 0; j < x.columns; ++j) sum += element(x, i, j) * element(x, i, j);
      return sum == 0 ? 0 : 1 / std::sqrt(sum);
    });
  }

  void matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
              bool transpose_b, double beta, MatrixView out) override {
    const std::int64_t inner = transpose_a ? a.rows : a.columns;
    const Doubles as(a), bs(b);
    for_each(out, [&](std::int64_t i, std::int64_t j) {
      double sum = 0;
      for (std::int64_t l = 0; l < inner; ++l) {
        sum += (transpose_a ? as(l, i) : as(i, l)) * (transpose_b ? bs(j, l) : bs(l, j));
      }
      return kept(beta, out, i, j) + alpha * sum;
    });
  }
  void refresh_weight(const PreparedWeight&) override {}
  PreparedWeight prepare_weight(ConstMatrixView source, DType) override {
    return {source, nullptr};
  }
  void linear(ConstMatrixView x, const PreparedWeight& weight, ConstMatrixView bias,
              MatrixView out) override {
    for_each(out, [&](std::int64_t t, std::int64_t j) {
      double sum = bias.is_absent() ? 0 : element(bias, 0, j);
      for (std::int64_t l = 0; l < x.columns; ++l) {
        sum += element(x, t, l) * element(weight.source, j, l);
      }
      return sum;
    });
  }
  void linear_input_gradient(ConstMatrixView g, const PreparedWeight& weight, double beta,
                             MatrixView out) override {
    matmul(1, g, false, weight.source, false, beta, out);
  }

  void activation(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                  MatrixView out) override {
    for_each(out, [&](std::int64_t i, std::int64_t j) {
      return value_of(kind, element(x, i, j) + element_or_zero(bias, j));
    });
  }
  void activation_gradient(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx) override {
    for_each(dx, [&](std::int64_t i, std::int64_t j) {
      return element(dout, i, j) * derivative_of(kind, element(x, i, j) + element_or_zero(bias, j));
    });
  }
  void curvature(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta, ConstMatrixView c,
                 MatrixView out) override {
    for_each(out, [&](std::int64_t i, std::int64_t j) {
      return curvature_of(element(x, i, j) + element_or_zero(bias, j), element(beta, 0, j),
                          element(c, 0, j))
          .value;
    });
  }
  std::size_t curvature_gradient_workspace(std::int64_t, std::int64_t, DType) const override {
    return 0;
  }
  void curvature_gradient(ConstMatrixView x, ConstMatrixView bias, ConstMatrixView beta,
                          ConstMatrixView c, ConstMatrixView dout, MatrixView dx, MatrixView out,
                          double beta_bias, MatrixView dbias, double beta_beta, MatrixView dbeta,
                          double beta_c, MatrixView dc, Workspace) override;
  void dropout(ConstMatrixView x, Dropout site, const SequenceView& sequences,
               const StepState* state, MatrixView out) override {
    for_each(out, [&](std::int64_t t, std::int64_t j) {
      return element(x, t, j) * row_mask(site, state, sequences, t, j, x.columns);
    });
  }

  void layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                  MatrixView out, MatrixView normalised, MatrixView rstd) override;
  std::size_t layer_norm_gradient_workspace(std::int64_t, std::int64_t, DType) const override {
    return 0;
  }
  void layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised, ConstMatrixView rstd,
                           ConstMatrixView gamma, MatrixView dx, double beta_gamma,
                           MatrixView dgamma, double beta_beta, MatrixView dbeta,
                           Workspace) override;

  std::size_t attention_workspace(const SequenceView&, const AttentionShape&,
                                  DType) const override {
    return 0;
  }
  void attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                 const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                 const StepState* state, MatrixView out, MatrixView log_sum_exp,
                 Workspace) override;
  std::size_t attention_gradient_workspace(const SequenceView&, const AttentionShape&,
                                           DType) const override {
    return 0;
  }
  void attention_gradient(ConstMatrixView dout, ConstMatrixView q, ConstMatrixView k,
                          ConstMatrixView v, ConstMatrixView out, ConstMatrixView log_sum_exp,
                          const SequenceView& sequences, const AttentionShape& shape, Dropout site,
                          const StepState* state, MatrixView dq, MatrixView dk, MatrixView dv,
                          Workspace) override;

  void gather_rows(ConstMatrixView table, const RowDebt& debt, ConstMatrixView ids, double beta,
                   MatrixView out) override {
    for_each(out, [&](std::int64_t t, std::int64_t j) {
      return kept(beta, out, t, j) + worth(table, debt, id_at(ids, t), j);
    });
  }
  void segment_sum_rows(ConstMatrixView x, ConstMatrixView offsets, ConstMatrixView rows,
                        ConstMatrixView places, std::int64_t written, MatrixView out) override {
    for (std::int64_t u = 0; u < places.columns; ++u) {
      for (std::int64_t j = 0; j < out.columns; ++j) {
        const std::int32_t place = id_at(places, u);
        double sum = place < written ? element(out, place, j) : 0;
        for (std::int32_t i = id_at(offsets, u); i < id_at(offsets, u + 1); ++i) {
          sum += element(x, id_at(rows, i), j);
        }
        set_element(out, place, j, sum);
      }
    }
  }
  void pay_rows(MatrixView table, ConstMatrixView rows, const RowDebt& debt) override {
    const std::int64_t count = rows.is_absent() ? table.rows : rows.columns;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = rows.is_absent() ? i : id_at(rows, i);
      for (std::int64_t j = 0; j < table.columns; ++j) {
        set_element(table, row, j, worth(table, debt, row, j));
      }
    }
  }
  void add_normalised(double alpha, ConstMatrixView x, ConstMatrixView squared_norm,
                      ConstMatrixView rows, MatrixView out) override {
    const double norm = std::sqrt(element(squared_norm, 0, 0));
    if (norm == 0 || !std::isfinite(norm)) return;
    for (std::int64_t t = 0; t < x.rows; ++t) {
      const std::int64_t row = rows.is_absent() ? t : id_at(rows, t);
      for (std::int64_t j = 0; j < x.columns; ++j) {
        set_element(out, row, j, element(out, row, j) + alpha * element(x, t, j) / norm);
      }
    }
  }
  void add_noise(double deviation, ConstMatrixView squared_norm, std::uint64_t stream,
                 const StepState* state, MatrixView out) override {
    if (!squared_norm.is_absent()) deviation *= std::sqrt(element(squared_norm, 0, 0));
    for (std::int64_t i = 0; i < out.columns; ++i) {
      set_element(out, 0, i, element(out, 0, i) + deviation * reference_noise(*state, stream, i));
    }
  }
  void scatter_add_rows(ConstMatrixView x, ConstMatrixView ids, MatrixView out) override {
    for_each(out, [&](std::int64_t row, std::int64_t j) {
      double sum = element(out, row, j);
      for (std::int64_t t = 0; t < x.rows; ++t) {
        if (id_at(ids, t) == row) sum += element(x, t, j);
      }
      return sum;
    });
  }
  void mean_pool(ConstMatrixView x, const SequenceView& sequences, MatrixView out) override {
    for_each(out, [&](std::int64_t b, std::int64_t j) {
      const std::int32_t begin = sequences.offsets[b];
      const std::int32_t end = sequences.offsets[b + 1];
      double sum = 0;
      for (std::int32_t t = begin; t < end; ++t) sum += element(x, t, j);
      return end > begin ? sum / (end - begin) : 0;
    });
  }
  void mean_pool_gradient(ConstMatrixView dout, const SequenceView& sequences,
                          MatrixView dx) override {
    for_each(dx, [&](std::int64_t t, std::int64_t j) {
      if (t >= sequences.offsets[sequences.sequences]) return 0.0;
      const std::int32_t b = sequences.sequence_of_row[t];
      return element(dout, b, j) / (sequences.offsets[b + 1] - sequences.offsets[b]);
    });
  }

  // Fused kernels: their default bodies on f64 copies.
  void linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta, MatrixView dweight,
                              double beta_bias, MatrixView dbias, Workspace workspace) override {
    WideCopies wide;
    Backend::linear_weight_gradient(wide.of(g), wide.of(x), beta, wide.of(dweight), beta_bias,
                                    wide.of(dbias), workspace);
    for (MatrixView out : {dweight, dbias}) wide.finish(out);
  }
  void activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                           ConstMatrixView dout, MatrixView dx, MatrixView out, double beta_bias,
                           MatrixView dbias, Workspace workspace) override {
    WideCopies wide;
    Backend::activation_backward(kind, wide.of(x), wide.of(bias), wide.of(dout), wide.of(dx),
                                 wide.of(out), beta_bias, wide.of(dbias), workspace);
    for (MatrixView result : {dx, out, dbias}) wide.finish(result);
  }
  void residual_layer_norm(ConstMatrixView x, Dropout site, ConstMatrixView residual,
                           const SequenceView& sequences, const StepState* state,
                           ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                           MatrixView out, MatrixView normalised, MatrixView rstd) override {
    WideCopies wide;
    Backend::residual_layer_norm(wide.of(x), site, wide.of(residual), sequences, state,
                                 wide.of(gamma), wide.of(beta), epsilon, wide.of(out),
                                 wide.of(normalised), wide.of(rstd));
    for (MatrixView result : {out, normalised, rstd}) wide.finish(result);
  }
  void residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                    ConstMatrixView rstd, ConstMatrixView gamma, Dropout site,
                                    const SequenceView& sequences, const StepState* state,
                                    MatrixView dsum, MatrixView dx, double beta_gamma,
                                    MatrixView dgamma, double beta_beta, MatrixView dbeta,
                                    Workspace workspace) override {
    WideCopies wide;
    Backend::residual_layer_norm_gradient(wide.of(dout), wide.of(normalised), wide.of(rstd),
                                          wide.of(gamma), site, sequences, state, wide.of(dsum),
                                          wide.of(dx), beta_gamma, wide.of(dgamma), beta_beta,
                                          wide.of(dbeta), workspace);
    for (MatrixView result : {dsum, dx, dgamma, dbeta}) wide.finish(result);
  }
  void embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma, ConstMatrixView beta,
                            double epsilon, MatrixView out, MatrixView normalised,
                            MatrixView rstd) override {
    WideCopies wide;
    EmbeddingRows wide_rows = rows;
    wide_rows.word = wide.of(rows.word);
    wide_rows.position = wide.of(rows.position);
    wide_rows.type = wide.of(rows.type);
    Backend::embedding_layer_norm(wide_rows, wide.of(gamma), wide.of(beta), epsilon, wide.of(out),
                                  wide.of(normalised), wide.of(rstd));
    for (MatrixView result : {out, normalised, rstd}) wide.finish(result);
  }

  void cross_entropy(ConstMatrixView logits, ConstMatrixView labels, MatrixView loss,
                     MatrixView dlogits, Workspace) override;
  void squared_error(ConstMatrixView x, ConstMatrixView y, MatrixView loss,
                     MatrixView dx) override {
    double sum = 0;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      for (std::int64_t j = 0; j < x.columns; ++j) {
        sum += std::pow(element(x, i, j) - element(y, i, j), 2);
      }
    }
    set_element(loss, 0, 0, sum);
    for_each(dx, [&](std::int64_t i, std::int64_t j) {
      return 2 * (element(x, i, j) - element(y, i, j));
    });
  }

  void squared_norm(ConstMatrixView x, double beta, MatrixView out) override {
    double sum = kept(beta, out, 0, 0);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      for (std::int64_t j = 0; j < x.columns; ++j) sum += std::pow(element(x, i, j), 2);
    }
    set_element(out, 0, 0, sum);
  }
  void update_clip(ConstMatrixView squared_sum, double clip_norm, StepState* state) override {
    state->gradient_norm = std::sqrt(element(squared_sum, 0, 0));
    if (!std::isfinite(state->gradient_norm)) state->skip_update = 1;
    const double factor = clip_norm / (state->gradient_norm + 1e-6);
    state->clip_factor = clip_norm == 0 || factor > 1 ? 1 : factor;
  }
  void adamw(const OptimizerRange& range, const AdamWConstants& constants,
             const StepState* state) override;
  void sgd(const OptimizerRange& range, const SgdConstants& constants,
           const StepState* state) override;
  void adamw_rows(const OptimizerRows& rows, const AdamWConstants& constants,
                  const StepState* state) override {
    for_slots(rows, state, [&](const OptimizerRange& range) { adamw(range, constants, state); });
  }
  void sgd_rows(const OptimizerRows& rows, const StepState* state) override {
    for_slots(rows, state, [&](const OptimizerRange& range) { sgd(range, {}, state); });
  }

 private:
  static double worth(ConstMatrixView table, const RowDebt& debt, std::int64_t row,
                      std::int64_t column) {
    return element(table, row, column) * (debt.owes(row) ? *debt.owed : 1);
  }
  /// body(range) for each slot, the dense update's view of it.
  static void for_slots(const OptimizerRows& rows, const StepState* state,
                        const std::function<void(const OptimizerRange&)>& body);
  static double element_or_zero(ConstMatrixView row, std::int64_t j) {
    return row.is_absent() ? 0 : element(row, 0, j);
  }
  /// out_ij = value(i, j); nothing when out is absent.
  static void for_each(MatrixView out,
                       const std::function<double(std::int64_t, std::int64_t)>& value) {
    if (out.is_absent()) return;
    for (std::int64_t i = 0; i < out.rows; ++i) {
      for (std::int64_t j = 0; j < out.columns; ++j) set_element(out, i, j, value(i, j));
    }
  }
};

void ReferenceBackend::layer_norm(ConstMatrixView x, ConstMatrixView gamma, ConstMatrixView beta,
                                  double epsilon, MatrixView out, MatrixView normalised,
                                  MatrixView rstd) {
  // Beyond f64: with a large mean the sum's own rounding would show.
  const auto columns = static_cast<long double>(x.columns);
  for (std::int64_t t = 0; t < x.rows; ++t) {
    long double mean = 0;
    for (std::int64_t j = 0; j < x.columns; ++j) mean += element(x, t, j) / columns;
    long double variance = 0;
    for (std::int64_t j = 0; j < x.columns; ++j) {
      variance += (element(x, t, j) - mean) * (element(x, t, j) - mean) / columns;
    }
    const long double r = 1 / std::sqrt(variance + epsilon);
    if (!rstd.is_absent()) set_element(rstd, 0, t, static_cast<double>(r));
    for (std::int64_t j = 0; j < x.columns; ++j) {
      const long double n = (element(x, t, j) - mean) * r;
      if (!normalised.is_absent()) set_element(normalised, t, j, static_cast<double>(n));
      set_element(out, t, j, static_cast<double>(n * element(gamma, 0, j) + element(beta, 0, j)));
    }
  }
}

void ReferenceBackend::layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                           ConstMatrixView rstd, ConstMatrixView gamma,
                                           MatrixView dx, double beta_gamma, MatrixView dgamma,
                                           double beta_beta, MatrixView dbeta, Workspace) {
  for_each(dgamma, [&](std::int64_t, std::int64_t j) {
    double sum = kept(beta_gamma, dgamma, 0, j);
    for (std::int64_t t = 0; t < dout.rows; ++t)
      sum += element(dout, t, j) * element(normalised, t, j);
    return sum;
  });
  for_each(dbeta, [&](std::int64_t, std::int64_t j) {
    double sum = kept(beta_beta, dbeta, 0, j);
    for (std::int64_t t = 0; t < dout.rows; ++t) sum += element(dout, t, j);
    return sum;
  });
  if (dx.is_absent()) return;
  const auto columns = static_cast<double>(dout.columns);
  for (std::int64_t t = 0; t < dout.rows; ++t) {
    double mean_g = 0, mean_gn = 0;
    for (std::int64_t j = 0; j < dout.columns; ++j) {
      const double g = element(dout, t, j) * element(gamma, 0, j);
      mean_g += g / columns;
      mean_gn += g * element(normalised, t, j) / columns;
    }
    for (std::int64_t j = 0; j < dout.columns; ++j) {
      const double g = element(dout, t, j) * element(gamma, 0, j);
      set_element(dx, t, j,
                  element(rstd, 0, t) * (g - mean_g - element(normalised, t, j) * mean_gn));
    }
  }
}

void ReferenceBackend::curvature_gradient(ConstMatrixView x, ConstMatrixView bias,
                                          ConstMatrixView beta, ConstMatrixView c,
                                          ConstMatrixView dout, MatrixView dx, MatrixView out,
                                          double beta_bias, MatrixView dbias, double beta_beta,
                                          MatrixView dbeta, double beta_c, MatrixView dc,
                                          Workspace) {
  for (std::int64_t j = 0; j < x.columns; ++j) {
    double by_bias = 0, by_beta = 0, by_c = 0;
    for (std::int64_t t = 0; t < x.rows; ++t) {
      const double g = element(dout, t, j);
      const CurvatureReference f = curvature_of(element(x, t, j) + element_or_zero(bias, j),
                                                element(beta, 0, j), element(c, 0, j));
      by_bias += g * f.by_x;
      by_beta += g * f.by_beta;
      by_c += g * f.by_c;
      if (!dx.is_absent()) set_element(dx, t, j, g * f.by_x);
      if (!out.is_absent()) set_element(out, t, j, f.value);
    }
    const auto finish = [&](double factor, double sum, MatrixView to) {
      if (!to.is_absent()) set_element(to, 0, j, kept(factor, to, 0, j) + sum);
    };
    finish(beta_bias, by_bias, dbias);
    finish(beta_beta, by_beta, dbeta);
    finish(beta_c, by_c, dc);
  }
}

/// The rows of q that belong to sequence b.
struct QueryRows {
  std::int64_t begin, count;
};
QueryRows query_rows(const SequenceView& sequences, const AttentionShape& shape, std::int64_t b) {
  if (shape.queries == AttentionShape::Queries::FirstRows) return {b, 1};
  return {sequences.offsets[b], sequences.offsets[b + 1] - sequences.offsets[b]};
}

void ReferenceBackend::attention(ConstMatrixView q, ConstMatrixView k, ConstMatrixView v,
                                 const SequenceView& sequences, const AttentionShape& shape,
                                 Dropout site, const StepState* state, MatrixView out,
                                 MatrixView log_sum_exp, Workspace) {
  const Doubles qs(q), ks(k), vs(v);
  fill(0, out);
  if (!log_sum_exp.is_absent()) fill(0, log_sum_exp);
  for (std::int64_t b = 0; b < sequences.sequences; ++b) {
    const std::int64_t first = sequences.offsets[b];
    const std::int64_t length = sequences.offsets[b + 1] - first;
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      const std::int64_t column = head * shape.head_size;
      const QueryRows queries = query_rows(sequences, shape, b);
      for (std::int64_t i = 0; i < queries.count; ++i) {
        std::vector<double> score(static_cast<std::size_t>(length));
        double largest = -INFINITY, sum = 0;
        for (std::int64_t j = 0; j < length; ++j) {
          double dot = 0;
          for (std::int64_t c = 0; c < shape.head_size; ++c) {
            dot += qs(queries.begin + i, column + c) * ks(first + j, column + c);
          }
          score[static_cast<std::size_t>(j)] = shape.scale * dot;
          largest = std::max(largest, shape.scale * dot);
        }
        for (double s : score) sum += std::exp(s - largest);
        const double lse = largest + std::log(sum);
        if (!log_sum_exp.is_absent()) set_element(log_sum_exp, queries.begin + i, head, lse);
        for (std::int64_t j = 0; j < length; ++j) {
          const double kept_share =
              mask(site, state, sequences.first_example + b,
                   attention_element(static_cast<std::uint64_t>(head),
                                     static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(j)));
          double& s = score[static_cast<std::size_t>(j)];
          s = std::exp(s - lse) * kept_share;
        }
        for (std::int64_t c = 0; c < shape.head_size; ++c) {
          double mixed = 0;
          for (std::int64_t j = 0; j < length; ++j) {
            mixed += score[static_cast<std::size_t>(j)] * vs(first + j, column + c);
          }
          set_element(out, queries.begin + i, column + c, mixed);
        }
      }
    }
  }
}

void ReferenceBackend::attention_gradient(ConstMatrixView dout, ConstMatrixView q,
                                          ConstMatrixView k, ConstMatrixView v, ConstMatrixView out,
                                          ConstMatrixView, const SequenceView& sequences,
                                          const AttentionShape& shape, Dropout site,
                                          const StepState* state, MatrixView dq, MatrixView dk,
                                          MatrixView dv, Workspace) {
  const Doubles qs(q), ks(k), vs(v), douts(dout);
  const std::int64_t width = shape.head_size;
  const auto cells = static_cast<std::size_t>(dk.rows * dk.columns);
  std::vector<double> sum_q(cells), sum_k(cells), sum_v(cells);
  auto cell = [&](std::int64_t row, std::int64_t column) {
    return static_cast<std::size_t>(row * dq.columns + column);
  };
  for (std::int64_t b = 0; b < sequences.sequences; ++b) {
    const std::int64_t first = sequences.offsets[b];
    const std::int64_t last = sequences.offsets[b + 1];
    for (std::int64_t head = 0; head < shape.heads; ++head) {
      const std::int64_t column = head * width;
      const QueryRows queries = query_rows(sequences, shape, b);
      for (std::int64_t i = queries.begin; i < queries.begin + queries.count; ++i) {
        // Row i of: p the probabilities, m the masks, dp the gradient of the dropped probabilities.
        std::vector<double> p, m, dp;
        double normaliser = 0, weighted = 0;
        for (std::int64_t j = first; j < last; ++j) {
          double dot = 0, gradient = 0;
          for (std::int64_t c = column; c < column + width; ++c) {
            dot += qs(i, c) * ks(j, c);
            gradient += douts(i, c) * vs(j, c);
          }
          p.push_back(shape.scale * dot);
          m.push_back(mask(site, state, sequences.first_example + b,
                           attention_element(static_cast<std::uint64_t>(head),
                                             static_cast<std::uint64_t>(i - queries.begin),
                                             static_cast<std::uint64_t>(j - first))));
          dp.push_back(gradient);
        }
        double largest = -INFINITY;
        for (double s : p) largest = std::max(largest, s);
        for (double& s : p) normaliser += s = std::exp(s - largest);
        for (std::size_t j = 0; j < p.size(); ++j) {
          p[j] /= normaliser;
          weighted += p[j] * m[j] * dp[j];
        }
        // The same sum is dout . out, which kernels use. An output that was rounded to bf16 makes
        // another number of it, and that is the one to compare with.
        if (out.dtype == DType::BF16) {
          weighted = 0;
          for (std::int64_t c = column; c < column + width; ++c) {
            weighted += douts(i, c) * element(out, i, c);
          }
        }
        for (std::int64_t j = first; j < last; ++j) {
          const auto at = static_cast<std::size_t>(j - first);
          const double ds = p[at] * (m[at] * dp[at] - weighted) * shape.scale;
          for (std::int64_t c = column; c < column + width; ++c) {
            sum_q[cell(i, c)] += ds * ks(j, c);
            sum_k[cell(j, c)] += ds * qs(i, c);
            sum_v[cell(j, c)] += p[at] * m[at] * douts(i, c);
          }
        }
      }
    }
  }
  for_each(dq, [&](std::int64_t i, std::int64_t j) { return sum_q[cell(i, j)]; });
  for_each(dk, [&](std::int64_t i, std::int64_t j) { return sum_k[cell(i, j)]; });
  for_each(dv, [&](std::int64_t i, std::int64_t j) { return sum_v[cell(i, j)]; });
}

void ReferenceBackend::cross_entropy(ConstMatrixView logits, ConstMatrixView labels,
                                     MatrixView loss, MatrixView dlogits, Workspace) {
  double total = 0;
  for (std::int64_t i = 0; i < logits.rows; ++i) {
    const std::int32_t label = id_at(labels, i);
    double largest = -INFINITY, sum = 0;
    for (std::int64_t c = 0; c < logits.columns; ++c)
      largest = std::max(largest, element(logits, i, c));
    for (std::int64_t c = 0; c < logits.columns; ++c)
      sum += std::exp(element(logits, i, c) - largest);
    if (label >= 0) total += largest + std::log(sum) - element(logits, i, label);
    if (dlogits.is_absent()) continue;
    for (std::int64_t c = 0; c < logits.columns; ++c) {
      const double p = std::exp(element(logits, i, c) - largest) / sum;
      set_element(dlogits, i, c, label < 0 ? 0 : p - (c == label ? 1 : 0));
    }
  }
  set_element(loss, 0, 0, total);
}

void ReferenceBackend::adamw(const OptimizerRange& range, const AdamWConstants& constants,
                             const StepState* state) {
  if (state->skip_update != 0) return;
  const double rate = state->learning_rate[range.group];
  for (std::int64_t i = 0; i < range.value.columns; ++i) {
    const double g = element(range.gradient, 0, i) * state->clip_factor;
    const double m = constants.beta1 * element(range.moment1, 0, i) + (1 - constants.beta1) * g;
    const double v = constants.beta2 * element(range.moment2, 0, i) + (1 - constants.beta2) * g * g;
    const double decayed = element(range.value, 0, i) * (1 - rate * range.weight_decay);
    const double divisor = std::sqrt(v) / std::sqrt(state->bias_correction2) + constants.epsilon;
    set_element(range.moment1, 0, i, m);
    set_element(range.moment2, 0, i, v);
    set_element(range.value, 0, i, decayed - rate / state->bias_correction1 * m / divisor);
  }
}

void ReferenceBackend::sgd(const OptimizerRange& range, const SgdConstants& constants,
                           const StepState* state) {
  if (state->skip_update != 0) return;
  for (std::int64_t i = 0; i < range.value.columns; ++i) {
    const double p = element(range.value, 0, i);
    double g = element(range.gradient, 0, i) * state->clip_factor + range.weight_decay * p;
    if (constants.momentum != 0) {
      const double buffer =
          state->step == 0 ? g : constants.momentum * element(range.moment1, 0, i) + g;
      set_element(range.moment1, 0, i, buffer);
      g = constants.is_nesterov ? g + constants.momentum * buffer : buffer;
    }
    set_element(range.value, 0, i, p - state->learning_rate[range.group] * g);
  }
}

void ReferenceBackend::for_slots(const OptimizerRows& rows, const StepState* state,
                                 const std::function<void(const OptimizerRange&)>& body) {
  if (state->skip_update != 0) return;
  const std::int64_t columns = rows.table.columns;
  const auto row = [](MatrixView view, std::int64_t i) {
    if (view.is_absent()) return view;
    view.data =
        view.as<std::byte>() + static_cast<std::size_t>(i * view.row_stride) * size_of(view.dtype);
    view.rows = 1;
    return view;
  };
  for (std::int64_t slot = 0; slot < rows.rows.columns; ++slot) {
    std::vector<double> gradient(static_cast<std::size_t>(columns), 0);
    const std::int32_t source = id_at(rows.sources, slot);
    for (std::int64_t j = 0; source >= 0 && j < columns; ++j) {
      gradient[static_cast<std::size_t>(j)] = element(rows.gradient, source, j);
    }
    body({row(rows.table, id_at(rows.rows, slot)),
          {gradient.data(), DType::F64, 1, columns, columns},
          row(rows.moment1, slot),
          row(rows.moment2, slot),
          rows.group,
          rows.weight_decay});
  }
  *rows.owed.as<double>() *= 1 - state->learning_rate[rows.group] * rows.weight_decay;
}

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<ReferenceBackend>();
}

}  // namespace basis
