#include "experiments/predictions.h"

#include <fmt/format.h>

#include "data/cross_fitting.h"
#include "experiments/compute.h"
#include "experiments/task_scores.h"
#include "tensor/error.h"
#include "tensor/safetensors.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

std::filesystem::path file_in(const std::filesystem::path& folder) {
  return folder / "predictions.safetensors";
}

}  // namespace

double score_on(const Predictions& all, const std::vector<std::int64_t>& rows) {
  return score(all.metric, select(all.predicted, rows), select(all.expected, rows));
}

void write_predictions(const std::filesystem::path& folder, const std::vector<float>& logits,
                       const std::vector<Example>& rows, const TaskData& data) {
  const Task& task = data.task;
  Compute host;
  std::vector<float> expected;
  for (const Example& row : rows) {
    expected.push_back(static_cast<float>(task.is_regression ? row.target : row.label));
  }
  const std::vector<std::uint8_t> cut = halves_of(rows, data.images);
  const std::vector<float> halves(cut.begin(), cut.end());
  const std::int64_t count = std::ssize(rows);
  write_safetensors(
      file_in(folder),
      {{"logits", to_device<float>(host.backend(), host.memory(), logits, {count, task.outputs()})},
       {"expected", to_device<float>(host.backend(), host.memory(), expected, {count})},
       {"halves", to_device<float>(host.backend(), host.memory(), halves, {count})}},
      {{"metric", name_of(task.metrics.front())}});
}

Predictions read_predictions(const std::filesystem::path& folder) {
  const SafeTensors file = SafeTensors::open(file_in(folder));
  const auto metric = file.metadata().find("metric");
  if (metric == file.metadata().end()) {
    throw Error(
        fmt::format("{}: no metric: written by an older version; remove the stage's folder "
                    "to compute it again",
                    file_in(folder).string()));
  }
  Predictions predictions;
  predictions.metric = metric_of(metric->second);
  Compute host;
  const Tensor logits = file.tensor("logits", DType::F32);
  const std::vector<float> outputs = host_floats(host.backend(), logits),
                           expected =
                               host_floats(host.backend(), file.tensor("expected", DType::F32));
  Task task;
  task.is_regression = logits.shape()[1] == 1;
  if (!task.is_regression) task.labels.resize(static_cast<std::size_t>(logits.shape()[1]));
  predictions.predicted = answers_of(outputs, task);
  for (const float value : expected) {
    if (task.is_regression) {
      predictions.expected.numbers.push_back(value);
    } else {
      predictions.expected.classes.push_back(static_cast<std::int32_t>(value));
    }
  }
  if (file.contains("halves")) {
    for (const float half : host_floats(host.backend(), file.tensor("halves", DType::F32))) {
      predictions.halves.push_back(half == 0 ? 0 : 1);
    }
  }
  return predictions;
}

}  // namespace basis
