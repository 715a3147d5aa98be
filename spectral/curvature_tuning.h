#pragma once

#include <string>
#include <utility>
#include <vector>

#include "spectral/adapter_method.h"

namespace basis {

/// Curvature Tuning (arXiv 2502.07783): a method's part in the activations' place.

/// β and c, as they start or stand.
struct CurvatureValues {
  double beta = 0;
  double c = 0;
};

/// Those of a method on this model. What the method leaves open (below 0) is the paper's: c = 0.5,
/// and β = 0.8 to train; where a model with GELU is to be trained, β = 0.64 and c = 0.99, which
/// nearly keep its function (METHODS.md 1). Throws Error for a β that is needed and missing, and
/// for values outside [0, 1], to train outside (0, 1).
CurvatureValues curvature_values(const SequenceClassifier& model, const AdapterMethod& method);

/// Names and shapes of the parameters, β and c of each layer; none where a method has none.
std::vector<std::pair<std::string, Shape>> curvature_tensors(const SequenceClassifier& model,
                                                             const AdapterMethod& method);

/// Puts it into the layers' activations; nothing where the method has none. Throws Error as
/// curvature_values does. Called by attach.
void attach_curvature(Backend&, Allocator&, SequenceClassifier& model, const AdapterMethod& method);

/// Whether a parameter is one of them.
bool is_curvature(const Parameter& parameter);

/// Whether a model's activations are Curvature Tuning's.
bool has_curvature(const SequenceClassifier& model);

/// Throws Error where they are: it is no change of a weight, so `what` ("merged") cannot be.
void refuse_curvature(const SequenceClassifier& model, const char* what);

/// How far the function at these values is from the model's own: the largest difference on
/// [-10, 10] in steps of 1/256.
double curvature_start_error(Backend&, Allocator&, const SequenceClassifier& model,
                             const CurvatureValues& values);

}  // namespace basis
