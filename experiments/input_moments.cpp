#include "experiments/input_moments.h"

#include <algorithm>
#include <vector>

#include "data/batch.h"
#include "experiments/task_scores.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

struct Moment {
  Matrix sum;
  std::int64_t tokens = 0;
};

/// x: (rows, in), of which the first `tokens` count.
void add_rows(Backend& backend, const Tensor& x, std::int64_t tokens, Moment& moment) {
  const std::int64_t in = x.shape()[1];
  const Tensor real = x.rows(0, tokens);
  const std::vector<float> elements = host_floats(backend, real);
  const Matrix inputs(tokens, in, {elements.begin(), elements.end()});
  const Matrix product = multiply_at_b(inputs, inputs);
  moment.sum = moment.tokens == 0 ? product : add(moment.sum, product);
  moment.tokens += tokens;
}

template <class Visit>
void for_each_linear(SequenceClassifier& model, const Visit& visit) {
  for (EncoderLayer& layer : model.bert().encoder().layers) {
    for (const MatrixKind kind : all_matrix_kinds) visit(layer.matrix(kind));
  }
}

}  // namespace

std::map<std::string, Matrix> input_moments(Compute& compute, SequenceClassifier& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype) {
  std::map<std::string, Moment> moments;
  for_each_linear(model, [&](Linear& linear) {
    Moment& moment = moments[linear.weight().name()];
    linear.set_observer([&compute, &moment](const Tensor& x, std::int64_t tokens) {
      add_rows(compute.backend(), x, tokens, moment);
    });
  });
  classifier_outputs(compute, model, first_rows(dataset, rows), dtype);
  for_each_linear(model, [](Linear& linear) { linear.set_observer(nullptr); });
  std::map<std::string, Matrix> means;
  for (auto& [name, moment] : moments) {
    if (moment.tokens == 0) continue;
    scale(moment.sum, 1 / static_cast<double>(moment.tokens));
    means.emplace(name, std::move(moment.sum));
  }
  return means;
}

}  // namespace basis
