#pragma once

#include <map>
#include <string>

#include "tensor/backend.h"

namespace basis {

/// What the last bits of a result hang on though it is no setting of a stage, in words by name:
/// "threads" -> "2 threads", "kernels" -> "avx512 kernels", "openblas core", "processor", "dtype".
/// A training in several pieces has them one after the other: "2 threads, then 1 thread".
using Circumstances = std::map<std::string, std::string>;

/// Those of the backend that computes, with activations of `dtype`.
Circumstances circumstances_of(const Backend&, DType dtype);

/// Those of a training that `began` so and goes on `now`. A name that `began` lacks stays absent:
/// one unknown piece makes the whole unknown.
Circumstances continued(const Circumstances& began, const Circumstances& now);

/// "resumes with 1 thread what began with 2 threads: results will differ in the last bits"; empty
/// where nothing known is another.
std::string difference(const Circumstances& began, const Circumstances& now);

}  // namespace basis
