#include "experiments/task_scores.h"

#include <algorithm>
#include <bit>

#include "data/batch_plan.h"

namespace basis {

namespace {

/// Enough rows for the products to run at full speed, few enough to stay in the cache's reach.
constexpr std::int64_t tokens_per_batch = 2048;

}  // namespace

std::vector<float> host_floats(Backend& backend, const Tensor& tensor) {
  if (tensor.dtype() == DType::F32) return to_host<float>(backend, tensor);
  if (tensor.dtype() == DType::BF16) {
    std::vector<float> values;
    for (const BFloat16 value : to_host<BFloat16>(backend, tensor)) {
      values.push_back(std::bit_cast<float>(std::uint32_t{value.bits} << 16));
    }
    return values;
  }
  const std::vector<double> wide = to_host<double>(backend, tensor);
  return {wide.begin(), wide.end()};
}

void for_each_batch(Compute& compute, const EncodedDataset& dataset, DType dtype,
                    const std::function<void(Context&, const Batch&)>& visit) {
  const BatchOptions options{0, tokens_per_batch, 0, false, false};
  const BatchPlan plan(dataset, options, 0, 0);
  for (std::int64_t i = 0; i < plan.size(); ++i) {
    const Batch batch =
        make_batch(compute.backend(), compute.memory(), dataset, plan.examples(i), 0, dtype);
    Context context{compute.backend(), compute.arena(), nullptr, false, nullptr, dtype};
    visit(context, batch);
  }
}

std::vector<float> classifier_outputs(Compute& compute, const SequenceClassifier& model,
                                      const EncodedDataset& dataset, DType dtype) {
  std::vector<float> outputs;
  outputs.reserve(static_cast<std::size_t>(dataset.size() * model.outputs()));
  for_each_batch(compute, dataset, dtype, [&](Context& context, const Batch& batch) {
    const Variable logits = model.logits(context, inputs_of(batch));
    const std::vector<float> part = host_floats(compute.backend(), logits.value);
    outputs.insert(outputs.end(), part.begin(), part.end());
  });
  return outputs;
}

namespace {

std::vector<std::pair<std::string, double>> scores_of_answers(const Answers& predicted,
                                                              const std::vector<Example>& rows,
                                                              const Task& task) {
  const Answers expected = answers_of(rows, task);
  std::vector<std::pair<std::string, double>> scores;
  for (const Metric metric : task.metrics) {
    scores.emplace_back(name_of(metric), score(metric, predicted, expected));
  }
  return scores;
}

}  // namespace

std::vector<std::pair<std::string, double>> scores_of(const std::vector<float>& outputs,
                                                      const std::vector<Example>& rows,
                                                      const Task& task) {
  return scores_of_answers(answers_of(outputs, task), rows, task);
}

Answers majority_answers(const std::vector<Example>& rows, const Task& task) {
  std::vector<std::int64_t> counts(task.labels.size(), 0);
  for (const Example& row : rows) ++counts[static_cast<std::size_t>(row.label)];
  const auto largest = std::max_element(counts.begin(), counts.end()) - counts.begin();
  Answers majority;
  majority.classes.assign(rows.size(), static_cast<std::int32_t>(largest));
  return majority;
}

std::vector<std::pair<std::string, double>> majority_scores(const std::vector<Example>& rows,
                                                            const Task& task) {
  if (task.is_regression) return {};
  return scores_of_answers(majority_answers(rows, task), rows, task);
}

}  // namespace basis
