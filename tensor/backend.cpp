#include "tensor/backend.h"

namespace basis {

const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::GeluErf:
      return "gelu";
    case Activation::GeluTanh:
      return "gelu_new";
    case Activation::Relu:
      return "relu";
    case Activation::Tanh:
      return "tanh";
    case Activation::Sigmoid:
      return "sigmoid";
  }
  return "?";
}

void Backend::begin_recording() {
  ensure(false, "this backend records no work");
}
std::shared_ptr<void> Backend::end_recording() {
  ensure(false, "this backend records no work");
  return nullptr;
}
void Backend::replay(const std::shared_ptr<void>&) {
  ensure(false, "this backend records no work");
}

std::size_t Backend::linear_weight_gradient_workspace(std::int64_t rows, std::int64_t out,
                                                      std::int64_t /*in*/, DType dtype) const {
  return column_sum_workspace(rows, out, dtype);
}

void Backend::linear_weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta,
                                     MatrixView dweight, double beta_bias, MatrixView dbias,
                                     Workspace workspace) {
  if (!dweight.is_absent()) matmul(1, g, true, x, false, beta, dweight);
  if (!dbias.is_absent()) column_sum(g, beta_bias, dbias, workspace);
}

void Backend::activation_backward(Activation kind, ConstMatrixView x, ConstMatrixView bias,
                                  ConstMatrixView dout, MatrixView dx, MatrixView out,
                                  double beta_bias, MatrixView dbias, Workspace workspace) {
  activation_gradient(kind, x, bias, dout, dx);
  if (!out.is_absent()) activation(kind, x, bias, out);
  if (!dbias.is_absent()) column_sum(dx, beta_bias, dbias, workspace);
}

void Backend::residual_layer_norm(ConstMatrixView x, Dropout dropout_site, ConstMatrixView residual,
                                  const SequenceView& sequences, const StepState* state,
                                  ConstMatrixView gamma, ConstMatrixView beta, double epsilon,
                                  MatrixView out, MatrixView normalised, MatrixView rstd) {
  if (dropout_site.is_active()) {
    dropout(x, dropout_site, sequences, state, out);
  } else {
    convert(x, out);
  }
  if (!residual.is_absent()) add_scaled(1, residual, 1, out);
  layer_norm(out, gamma, beta, epsilon, out, normalised, rstd);
}

std::unique_ptr<HostCopy> Backend::begin_copy_to_host(const void* device, std::size_t bytes) {
  class Done : public HostCopy {
   public:
    explicit Done(std::size_t count) : bytes_(count) {}
    std::byte* begin() { return bytes_.data(); }
    const std::byte* wait() override { return bytes_.data(); }

   private:
    std::vector<std::byte> bytes_;
  };
  auto copy = std::make_unique<Done>(bytes);
  copy_to_host(device, copy->begin(), bytes);
  return copy;
}

void Backend::residual_layer_norm_gradient(ConstMatrixView dout, ConstMatrixView normalised,
                                           ConstMatrixView rstd, ConstMatrixView gamma,
                                           Dropout dropout_site, const SequenceView& sequences,
                                           const StepState* state, MatrixView dsum, MatrixView dx,
                                           double beta_gamma, MatrixView dgamma, double beta_beta,
                                           MatrixView dbeta, Workspace workspace) {
  layer_norm_gradient(dout, normalised, rstd, gamma, dsum, beta_gamma, dgamma, beta_beta, dbeta,
                      workspace);
  if (dx.is_absent() || dx.data == dsum.data) return;
  if (dropout_site.is_active()) {
    dropout(dsum, dropout_site, sequences, state, dx);
  } else {
    convert(dsum, dx);
  }
}

void Backend::squared_norm_of_all(std::span<const ConstMatrixView> parts, MatrixView out) {
  for (std::size_t i = 0; i < parts.size(); ++i) squared_norm(parts[i], i == 0 ? 0 : 1, out);
}

void Backend::adamw_of_all(std::span<const OptimizerRange> ranges, const AdamWConstants& constants,
                           const StepState* state) {
  for (const OptimizerRange& range : ranges) adamw(range, constants, state);
}

void Backend::embedding_sum(const EmbeddingRows& rows, MatrixView out) {
  gather_rows(rows.word, rows.debt, rows.ids, 0, out);
  gather_rows(rows.position, {}, rows.positions, 1, out);
  gather_rows(rows.type, {}, rows.types, 1, out);
}

void Backend::embedding_layer_norm(const EmbeddingRows& rows, ConstMatrixView gamma,
                                   ConstMatrixView beta, double epsilon, MatrixView out,
                                   MatrixView normalised, MatrixView rstd) {
  embedding_sum(rows, out);
  layer_norm(out, gamma, beta, epsilon, out, normalised, rstd);
}

}  // namespace basis
