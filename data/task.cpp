#include "data/task.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::array all_metrics = {Metric::Accuracy, Metric::F1, Metric::Matthews, Metric::Pearson,
                                    Metric::Spearman};

bool is_correlation_of_numbers(Metric metric) {
  return metric == Metric::Pearson || metric == Metric::Spearman;
}

}  // namespace

const char* name_of(Metric metric) {
  switch (metric) {
    case Metric::Accuracy:
      return "accuracy";
    case Metric::F1:
      return "f1";
    case Metric::Matthews:
      return "matthews";
    case Metric::Pearson:
      return "pearson";
    case Metric::Spearman:
      return "spearman";
  }
  return "?";
}

Metric metric_of(std::string_view name) {
  std::string names;
  for (Metric metric : all_metrics) {
    if (name == name_of(metric)) return metric;
    names += (names.empty() ? "" : ", ") + std::string(name_of(metric));
  }
  throw Error(fmt::format("unknown metric \"{}\"; there are {}", name, names));
}

void check_task(const Task& task) {
  const auto fail = [&](const std::string& what) {
    throw Error(fmt::format("task {}: {}", task.name, what));
  };
  if (task.is_regression && !task.labels.empty())
    fail("a regression has no labels; drop one of the two");
  if (!task.is_regression && task.labels.size() < 2) {
    fail(fmt::format("{} labels; give at least two, or say that it is a regression",
                     task.labels.size()));
  }
  if (std::set(task.labels.begin(), task.labels.end()).size() != task.labels.size()) {
    fail("a label stands twice");
  }
  if (task.metrics.empty()) fail("no metric");
  for (Metric metric : task.metrics) {
    if (is_correlation_of_numbers(metric) != task.is_regression) {
      fail(fmt::format("metric {} does not fit a {}", name_of(metric),
                       task.is_regression ? "regression" : "classification"));
    }
    if (metric == Metric::F1 && task.labels.size() != 2) {
      fail(fmt::format("metric f1 needs two labels, the second the positive one; there are {}",
                       task.labels.size()));
    }
  }
}

}  // namespace basis
