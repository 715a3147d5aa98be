#include "data/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

double accuracy(std::span<const std::int32_t> predicted, std::span<const std::int32_t> expected) {
  std::int64_t equal = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) equal += predicted[i] == expected[i];
  return static_cast<double>(equal) / static_cast<double>(expected.size());
}

double f1(std::span<const std::int32_t> predicted, std::span<const std::int32_t> expected) {
  std::int64_t both = 0, either = 0;  // 2 tp, and 2 tp + fp + fn
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (predicted[i] > 1 || expected[i] > 1)
      throw Error("f1: a class above 1; it is for two classes");
    either += predicted[i] + expected[i];
    both += 2 * (predicted[i] == 1 && expected[i] == 1);
  }
  return either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either);
}

// (c n - sum_k p_k t_k) / sqrt((n^2 - sum_k p_k^2)(n^2 - sum_k t_k^2)), c rows right, p_k and t_k
// how often class k was predicted and is right.
double matthews(std::span<const std::int32_t> predicted, std::span<const std::int32_t> expected) {
  const std::int32_t most = std::max(*std::max_element(predicted.begin(), predicted.end()),
                                     *std::max_element(expected.begin(), expected.end()));
  std::vector<double> predicted_count(static_cast<std::size_t>(most) + 1);
  std::vector<double> expected_count(static_cast<std::size_t>(most) + 1);
  double right = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ++predicted_count[static_cast<std::size_t>(predicted[i])];
    ++expected_count[static_cast<std::size_t>(expected[i])];
    right += predicted[i] == expected[i];
  }
  const auto n = static_cast<double>(expected.size());
  double mixed = 0, of_predicted = n * n, of_expected = n * n;
  for (std::size_t k = 0; k < predicted_count.size(); ++k) {
    mixed += predicted_count[k] * expected_count[k];
    of_predicted -= predicted_count[k] * predicted_count[k];
    of_expected -= expected_count[k] * expected_count[k];
  }
  if (of_predicted == 0 || of_expected == 0) return 0;
  return (right * n - mixed) / std::sqrt(of_predicted * of_expected);
}

bool is_constant(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; });
}

double pearson(std::span<const double> x, std::span<const double> y) {
  if (is_constant(x) || is_constant(y)) return 0;
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

/// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double mean = static_cast<double>(begin + 1 + end) / 2;
    for (std::size_t i = begin; i < end; ++i) rank[order[i]] = mean;
  }
  return rank;
}

double score_of_classes(Metric metric, std::span<const std::int32_t> predicted,
                        std::span<const std::int32_t> expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (predicted[i] < 0 || expected[i] < 0) {
      throw Error(fmt::format("{}: row {} has no {}", name_of(metric), i,
                              expected[i] < 0 ? "label" : "prediction"));
    }
  }
  if (metric == Metric::Accuracy) return accuracy(predicted, expected);
  return metric == Metric::F1 ? f1(predicted, expected) : matthews(predicted, expected);
}

double score_of_numbers(Metric metric, std::span<const double> predicted,
                        std::span<const double> expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(predicted[i]) || !std::isfinite(expected[i])) {
      throw Error(fmt::format("{}: row {} is not finite", name_of(metric), i));
    }
  }
  return metric == Metric::Pearson ? pearson(predicted, expected)
                                   : pearson(ranks(predicted), ranks(expected));
}

}  // namespace

Answers answers_of(std::span<const float> outputs, const Task& task) {
  const auto width = static_cast<std::size_t>(task.outputs());
  ensure(width > 0 && outputs.size() % width == 0, "answers_of: (n, outputs) values");
  Answers answers;
  for (std::size_t begin = 0; begin < outputs.size(); begin += width) {
    if (task.is_regression) {
      answers.numbers.push_back(outputs[begin]);
      continue;
    }
    const auto row = outputs.subspan(begin, width);
    for (float logit : row) {
      if (std::isnan(logit)) {
        throw Error(
            fmt::format("task {}: a logit of row {} is not a number", task.name, begin / width));
      }
    }
    answers.classes.push_back(
        static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return answers;
}

Answers answers_of(std::span<const Example> rows, const Task& task) {
  Answers answers;
  for (const Example& row : rows) {
    if (task.is_regression) {
      answers.numbers.push_back(row.target);
    } else {
      answers.classes.push_back(row.label);
    }
  }
  return answers;
}

Answers select(const Answers& answers, std::span<const std::int64_t> rows) {
  Answers selected;
  for (std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (answers.numbers.empty()) {
      selected.classes.push_back(answers.classes.at(i));
    } else {
      selected.numbers.push_back(answers.numbers.at(i));
    }
  }
  return selected;
}

double score(Metric metric, const Answers& predicted, const Answers& expected) {
  const bool is_regression = metric == Metric::Pearson || metric == Metric::Spearman;
  const std::int64_t predictions =
      is_regression ? std::ssize(predicted.numbers) : std::ssize(predicted.classes);
  const std::int64_t rows =
      is_regression ? std::ssize(expected.numbers) : std::ssize(expected.classes);
  if (rows == 0 || predictions != rows) {
    throw Error(fmt::format("{}: {} predictions for {} rows", name_of(metric), predictions, rows));
  }
  return is_regression ? score_of_numbers(metric, predicted.numbers, expected.numbers)
                       : score_of_classes(metric, predicted.classes, expected.classes);
}

}  // namespace basis
