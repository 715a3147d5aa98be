#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "data/dataset.h"
#include "experiments/compute.h"
#include "nn/masked_language_model.h"
#include "nn/sequence_classifier.h"
#include "spectral/matrix.h"

namespace basis {

/// The mean of x xᵀ (in x in) over the inputs x that every encoder matrix sees while `read_text`
/// runs the model, by the parameter's name: what directions of a weight are used for (METHODS 2,
/// functional spectrum). Holds one f64 matrix for each.
std::map<std::string, Matrix> input_moments(Compute& compute, Bert& bert,
                                            const std::function<void()>& read_text);

/// On the first `rows` rows of a set, without dropout. Where the head reads first rows alone, the
/// last layer sees no others.
std::map<std::string, Matrix> input_moments(Compute& compute, SequenceClassifier& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype);

/// The same of the text as it stands, nothing masked: all rows of every layer. `check_stop`, called
/// between batches, stops it by throwing.
std::map<std::string, Matrix> input_moments(Compute& compute, MaskedLanguageModel& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype, const std::function<void()>& check_stop);

}  // namespace basis
