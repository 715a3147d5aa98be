#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "spectral/adapter_method.h"

namespace basis {

// Sources of directions that take more than the weight itself.

/// BasisKind::Activation. `moments`: of every encoder matrix's inputs, by name
/// (experiments/input_moments.h). `device` must outlive it.
BasisSource basis_by_activation(std::map<std::string, Matrix> moments, Decompositions* device);

/// BasisKind::OtherSeed: the leading directions of the weights of the same name in another model
/// folder, decomposed by `by_svd`. The source throws Error for a weight that the folder lacks.
BasisSource basis_by_other_model(const std::filesystem::path& folder, BasisSource by_svd);

}  // namespace basis
