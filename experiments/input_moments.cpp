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
void for_each_linear(Bert& bert, const Visit& visit) {
  for (EncoderLayer& layer : bert.encoder().layers) {
    for (const MatrixKind kind : all_matrix_kinds) visit(layer.matrix(kind));
  }
}

/// Nobody looks any more, however the reading ends.
struct Observed {
  Bert& bert;
  ~Observed() {
    for_each_linear(bert, [](Linear& linear) { linear.set_observer(nullptr); });
  }
};

}  // namespace

std::map<std::string, Matrix> input_moments(Compute& compute, Bert& bert,
                                            const std::function<void()>& read_text) {
  std::map<std::string, Moment> moments;
  {
    const Observed observed{bert};
    for_each_linear(bert, [&](Linear& linear) {
      Moment& moment = moments[linear.weight().name()];
      linear.set_observer([&compute, &moment](const Tensor& x, std::int64_t tokens) {
        add_rows(compute.backend(), x, tokens, moment);
      });
    });
    read_text();
  }
  std::map<std::string, Matrix> means;
  for (auto& [name, moment] : moments) {
    if (moment.tokens == 0) continue;
    scale(moment.sum, 1 / static_cast<double>(moment.tokens));
    means.emplace(name, std::move(moment.sum));
  }
  return means;
}

std::map<std::string, Matrix> input_moments(Compute& compute, SequenceClassifier& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype) {
  const EncodedDataset some = first_rows(dataset, rows);
  return input_moments(compute, model.bert(),
                       [&] { classifier_outputs(compute, model, some, dtype); });
}

std::map<std::string, Matrix> input_moments(Compute& compute, MaskedLanguageModel& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype, const std::function<void()>& check_stop) {
  const EncodedDataset some = first_rows(dataset, rows);
  return input_moments(compute, model.bert(), [&] {
    for_each_batch(compute, some, dtype, [&](Context& context, const Batch& batch) {
      check_stop();
      model.bert().hidden(context, inputs_of(batch));
    });
  });
}

}  // namespace basis
