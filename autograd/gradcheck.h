#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autograd/context.h"

namespace basis {

struct GradcheckOptions {
  double step = 1e-5;        // of the central difference
  double tolerance = 1e-7;   // of |analytic - numeric| / max(1, |numeric|)
  std::uint64_t seed = 1;    // of the cotangent
  bool is_training = false;  // dropout on (its masks are pure functions of the StepState)
  std::vector<std::size_t> row_inputs = {};  // inputs whose gradients are rows (RowGradient)
};

struct GradcheckReport {
  bool passes = true;
  double worst_error = 0;
  std::string message;  // the first wrong element: input, index, gradient found and wanted
};

/// Compares an operation's gradients with central differences, in f64. `function` maps inputs that
/// ask for gradients to one output; a random cotangent weighs the output's elements (a plain sum
/// hides wrong softmax and layer-norm gradients), unless the output is a loss of shape (1, 1).
/// Gradients are checked a second time as additions to something that is there already, and all
/// memory of the operation starts as NaN.
///   inputs: f64 tensors in the CPU backend's memory; changed during the call and put back
GradcheckReport gradcheck(
    Backend& backend, const std::function<Variable(Context&, std::span<const Variable>)>& function,
    const std::vector<Tensor>& inputs, const GradcheckOptions& options = {});

/// Compares the gradients that an operation gives on `device` in f32 with those of the CPU in f64,
/// for the same inputs and cotangent, with all that gradcheck does to memory and gradients.
/// options.tolerance is of the largest element of a gradient, or of one where that is larger.
///   function: called for both backends; what else it needs it makes where the Context computes
///   inputs: f64 tensors in the memory of `cpu`, rounded to f32 for both. Those whose rows are a
///     multiple of its row bucket get rows of zeros up to a multiple of the device's.
GradcheckReport compare_gradients(
    Backend& device, Backend& cpu,
    const std::function<Variable(Context&, std::span<const Variable>)>& function,
    const std::vector<Tensor>& inputs, const GradcheckOptions& options);

}  // namespace basis
