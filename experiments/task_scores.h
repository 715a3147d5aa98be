#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/dataset.h"
#include "data/metrics.h"
#include "data/task.h"
#include "experiments/compute.h"
#include "nn/sequence_classifier.h"

namespace basis {

/// A batch as BERT reads it.
inline BertInputs inputs_of(const Batch& batch) {
  return {batch.layout,     batch.ids,          batch.positions, batch.types,
          batch.largest_id, batch.largest_type, batch.segments,  constant(batch.patches)};
}

/// The elements of an f32 or f64 tensor.
std::vector<float> host_floats(Backend& backend, const Tensor& tensor);

/// Every row in order, some at a time, as a model reads outside of training: no tape, no dropout.
void for_each_batch(Compute& compute, const EncodedDataset& dataset, DType dtype,
                    const std::function<void(Context&, const Batch&)>& visit);

/// The model's outputs for every row in order: (n, outputs), row by row. No tape, no dropout.
std::vector<float> classifier_outputs(Compute& compute, const SequenceClassifier& model,
                                      const EncodedDataset& dataset, DType dtype);

/// The task's metrics by name, primary first.
std::vector<std::pair<std::string, double>> scores_of(const std::vector<float>& outputs,
                                                      const std::vector<Example>& rows,
                                                      const Task& task);

/// The most frequent class for every row. Of classes alone.
Answers majority_answers(const std::vector<Example>& rows, const Task& task);

/// The same of an answer that is the most frequent class for every row: what a task's scores must
/// beat. Nothing for a regression, whose correlations have the floor 0.
std::vector<std::pair<std::string, double>> majority_scores(const std::vector<Example>& rows,
                                                            const Task& task);

}  // namespace basis
