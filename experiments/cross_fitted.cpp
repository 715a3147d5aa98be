#include "experiments/cross_fitted.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "data/cross_fitting.h"
#include "experiments/contains.h"
#include "experiments/report_data.h"
#include "tensor/error.h"

namespace basis {
namespace {

std::vector<std::string> methods_of(const Config& config, const std::string& family) {
  std::vector<std::string> methods;
  for (const std::string& method : config.methods) {
    if (config.method.at(method).family == family) methods.push_back(method);
  }
  return methods;
}

std::set<std::string> claimed_families(const Config& config) {
  std::set<std::string> families;
  for (const auto& [name, claim] : config.claim) {
    for (const std::string* side : {&claim.method, &claim.control, &claim.ceiling, &claim.floor}) {
      if (is_family(config, *side)) families.insert(*side);
    }
  }
  return families;
}

/// The runs of a family that repeat nothing: one of each method, in the methods' order.
CrossFitted fitted(const std::vector<const ReportRun*>& runs) {
  CrossFitted result;
  const Predictions& first = *runs.front()->predictions;
  std::vector<Answers> candidates;
  for (const ReportRun* run : runs) {
    if (run->predictions->halves != first.halves) {
      throw Error(fmt::format("{} of {} and of {} cut dev into other halves", runs.front()->task,
                              runs.front()->method, run->method));
    }
    candidates.push_back(run->predictions->predicted);
  }
  const CrossFit fit = cross_fit(first.metric, candidates, first.expected, first.halves);
  result.task = runs.front()->task;
  result.pretrain_seed = runs.front()->pretrain_seed;
  result.seed = runs.front()->seed;
  result.predictions = first;
  result.predictions.predicted = fit.pooled;
  for (std::size_t half = 0; half < 2; ++half) {
    result.chosen[half] = runs[static_cast<std::size_t>(fit.chosen[half])]->method;
  }
  return result;
}

}  // namespace

bool is_family(const Config& config, const std::string& name) {
  return !name.empty() && !contains(config.methods, name) && !methods_of(config, name).empty();
}

std::vector<CrossFitted> cross_fitted(const Config& config, const std::vector<ReportRun>& runs) {
  std::vector<CrossFitted> all;
  for (const std::string& family : claimed_families(config)) {
    const std::vector<std::string> methods = methods_of(config, family);
    std::map<std::tuple<std::string, std::int64_t, std::int64_t>, std::vector<const ReportRun*>>
        repeats;
    for (const std::string& method : methods) {
      for (const ReportRun& run : runs) {
        if (run.method != method || !run.predictions || run.predictions->halves.empty()) continue;
        repeats[{run.task, run.pretrain_seed, run.seed}].push_back(&run);
      }
    }
    for (const auto& [repeat, of_methods] : repeats) {
      if (of_methods.size() != methods.size()) continue;
      all.push_back(fitted(of_methods));
      all.back().family = family;
    }
  }
  return all;
}

}  // namespace basis
