#include "spectral/equal_lora.h"

#include <algorithm>
#include <cmath>

#include "spectral/adapter_plan.h"
#include "spectral/matrix_transfer.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

/// The band's (2 d + 1, k) numbers as a matrix (k x k).
Matrix dense_band(const Matrix& band) {
  const std::int64_t k = band.columns(), d = (band.rows() - 1) / 2;
  Matrix dense(k, k);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = std::max<std::int64_t>(0, i - d); j <= std::min(k - 1, i + d); ++j) {
      dense(i, j) = band(d + j - i, i);
    }
  }
  return dense;
}

Matrix times(Backend& backend, const Matrix& product, const Factor& factor) {
  switch (factor.kind) {
    case Factor::Kind::Dense:
      return multiply(product, host_matrix(backend, factor.parameter->value()));
    case Factor::Kind::Diagonal:
      return scale_columns(product, host_matrix(backend, factor.parameter->value()).elements());
    case Factor::Kind::Band:
      return multiply(product, dense_band(host_matrix(backend, factor.parameter->value())));
  }
  throw InternalError("unknown kind of factor");
}

/// `parts` side by side, or one below the other.
Matrix stacked(const std::vector<Matrix>& parts, bool is_side_by_side) {
  std::int64_t rows = 0, columns = 0;
  for (const Matrix& part : parts) {
    rows = is_side_by_side ? part.rows() : rows + part.rows();
    columns = is_side_by_side ? columns + part.columns() : part.columns();
  }
  Matrix all(rows, columns);
  std::int64_t row = 0, column = 0;
  for (const Matrix& part : parts) {
    for (std::int64_t i = 0; i < part.rows(); ++i) {
      for (std::int64_t j = 0; j < part.columns(); ++j) all(row + i, column + j) = part(i, j);
    }
    (is_side_by_side ? column : row) += is_side_by_side ? part.columns() : part.rows();
  }
  return all;
}

struct Pair {
  Matrix a, b;
  double scale = 1;
};

Pair as_pair(Backend& backend, const Adapter& adapter) {
  std::vector<Matrix> a, b;
  const double scale = std::abs(adapter.terms.front().scale);
  for (const FactorProduct& term : adapter.terms) {
    ensure(term.factors.back().kind == Factor::Kind::Dense, "an equal LoRA's terms end dense");
    Matrix left = host_matrix(backend, term.factors.front().parameter->value());
    for (std::size_t i = 1; i + 1 < term.factors.size(); ++i) {
      left = times(backend, left, term.factors[i]);
    }
    if (term.scale != scale) basis::scale(left, term.scale / scale);
    a.push_back(host_matrix(backend, term.factors.back().parameter->value()));
    b.push_back(std::move(left));
  }
  return {stacked(a, false), stacked(b, true), scale};
}

Tensor to_f32(const Matrix& matrix) {
  const Tensor tensor = Tensor::on_host({matrix.rows(), matrix.columns()}, DType::F32);
  std::transform(matrix.elements().begin(), matrix.elements().end(), tensor.data<float>(),
                 [](double value) { return static_cast<float>(value); });
  return tensor;
}

}  // namespace

EqualLora equal_lora(const SequenceClassifier& model, const AdapterMethod& method) {
  EqualLora equal;
  equal.method.kind = AdapterMethod::Kind::Lora;
  equal.method.targets = method.targets;
  equal.method.dropout = method.dropout;
  Backend& backend = model.backend();
  for (const AdaptedWeight& weight : adapted_weights(model, method)) {
    EncoderLayer layer = model.layers()[static_cast<std::size_t>(weight.layer)];
    const Pair pair = as_pair(backend, *layer.matrix(weight.kind).adapter());
    const std::string base = weight.module();
    equal.tensors.emplace_back(base + ".lora_A", to_f32(pair.a));
    equal.tensors.emplace_back(base + ".lora_B", to_f32(pair.b));
    equal.method.rank = pair.a.rows();
    equal.method.alpha = pair.scale * static_cast<double>(pair.a.rows());
  }
  for (const auto& parameter : model.parameters().all()) {
    if (parameter->role() == ParameterRole::Head) {
      equal.tensors.emplace_back(parameter->name(), to_host(backend, parameter->value()));
    }
  }
  return equal;
}

}  // namespace basis
