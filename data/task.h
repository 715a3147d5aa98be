#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_batches.h"

namespace basis {

/// The metrics of METHODS.md 5; a task names its primary one first.
enum class Metric : std::uint8_t { Accuracy, F1, Matthews, Pearson, Spearman };

/// "accuracy", "f1", "matthews", "pearson", "spearman".
const char* name_of(Metric metric);
/// The metric of that name. Throws Error with the names there are.
Metric metric_of(std::string_view name);

/// What a task is, apart from its rows: GLUE's and the user's own alike.
struct Task {
  std::string name;                 // "mrpc"
  bool is_pair = false;             // two texts a row
  bool is_regression = false;       // a number instead of a class
  std::vector<std::string> labels;  // class names in order of their ids; empty for regression
  std::vector<Metric> metrics;      // primary first

  /// Columns of the head: the classes, or 1 for regression.
  std::int64_t outputs() const {
    return is_regression ? 1 : static_cast<std::int64_t>(labels.size());
  }
};

/// Throws Error when a task contradicts itself: no labels and no regression, or both; a label
/// twice; no metric; correlation asked of classes, accuracy of numbers, F1 of other than two
/// classes.
void check_task(const Task& task);

/// One row: one or two texts, or an image, with a class or a number.
struct Example {
  std::string first;
  std::string second;       // empty unless the task is a pair
  std::int32_t label = -1;  // class id; -1 where unknown (test files)
  double target = 0;        // regression
  std::int32_t image = -1;  // in place of texts: which of the task's images (TaskImages)
};

/// What the rows of a task of images stand on. Rows name their image, so that they can be cut,
/// shuffled and given to another split while the images stay.
struct TaskImages {
  ImageSet set;
  PixelStatistics statistics;  // by which they are normalised
  std::int64_t patch = 0;      // pixels a side of a token; 0: the task is of text
};

/// A task with its rows. `dev_mismatched` is MNLI's second dev set, empty elsewhere.
struct TaskData {
  Task task;
  std::vector<Example> train;
  std::vector<Example> dev;
  std::vector<Example> dev_mismatched;
  std::vector<Example> test;
  std::int64_t skipped_rows = 0;  // malformed ones that the source tolerates (official QQP)
  TaskImages images;
};

}  // namespace basis
