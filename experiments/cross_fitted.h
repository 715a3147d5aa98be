#pragma once

#include <array>
#include <string>
#include <vector>

#include "experiments/config.h"
#include "experiments/predictions.h"

namespace basis {

struct ReportRun;

/// A family in a method's place: of one task and replicate, the answers of which each half of dev
/// is given by the method of the family that is best on the other half (METHODS.md 2,
/// "Statistics").
struct CrossFitted {
  std::string task;
  std::string family;
  std::int64_t pretrain_seed = 0;
  std::int64_t seed = 0;
  Predictions predictions;            // pooled
  std::array<std::string, 2> chosen;  // on each half, for the other
};

/// Whether no method has the name, but methods have it as their family.
bool is_family(const Config& config, const std::string& name);

/// Of every family that a claim names in a method's place, where the runs of all its methods are
/// there with their predictions and halves. Throws Error where the halves of two differ.
std::vector<CrossFitted> cross_fitted(const Config& config, const std::vector<ReportRun>& runs);

}  // namespace basis
