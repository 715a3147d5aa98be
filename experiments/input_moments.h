#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/dataset.h"
#include "experiments/compute.h"
#include "nn/sequence_classifier.h"
#include "spectral/matrix.h"

namespace basis {

/// The mean of x xᵀ (in x in) over the inputs x of every encoder matrix, by the parameter's name,
/// on the first `rows` rows of a set, without dropout: what directions of a weight are used for
/// (METHODS 2, functional spectrum). Holds one f64 matrix for each.
std::map<std::string, Matrix> input_moments(Compute& compute, SequenceClassifier& model,
                                            const EncodedDataset& dataset, std::int64_t rows,
                                            DType dtype);

}  // namespace basis
