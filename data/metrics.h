#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/task.h"

namespace basis {

/// What a model says, or what is right, for the rows of a set: classes, or numbers for a
/// regression. The other vector is empty.
struct Answers {
  std::vector<std::int32_t> classes;
  std::vector<double> numbers;

  std::int64_t size() const { return std::ssize(classes) + std::ssize(numbers); }
};

/// The answers of a model's outputs (n, outputs): the class of the largest logit, the lower one of
/// equals; for a regression (outputs 1) the number itself.
Answers answers_of(std::span<const float> outputs, const Task& task);
/// What the rows say is right.
Answers answers_of(std::span<const Example> rows, const Task& task);
/// The rows that are named.
Answers select(const Answers& answers, std::span<const std::int64_t> rows);

/// A metric of METHODS.md 5 on predictions and the right answers. In [0, 1] or [-1, 1], not times
/// 100.
///   Accuracy: share of equal classes.
///   F1: of class 1 against class 0; 0 where neither side has a 1 (scikit-learn's zero_division).
///   Matthews: of any number of classes (Gorodkin 2004); 0 where one side has one class only, as
///     scikit-learn says.
///   Pearson, Spearman (equal values share their mean rank): 0 where one side is constant, where
///   scipy
///     says NaN.
/// Throws Error for no rows, unequal sizes, an unknown right answer (-1), a class above 1 in F1, a
/// prediction that is not finite.
double score(Metric metric, const Answers& predicted, const Answers& expected);

}  // namespace basis
