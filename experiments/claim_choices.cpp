#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/contains.h"
#include "experiments/cross_fitted.h"

namespace basis {
namespace {

/// What a method trains, 0 where none of its runs is there.
std::int64_t trained_by(const ReportData& data, const std::string& method) {
  for (const ReportRun& run : data.runs) {
    if (run.method == method) return run.result.trainable;
  }
  return 0;
}

/// A method and what it is compared with.
using MethodPair = std::pair<std::string, std::string>;

/// The claim's own pair, and those that might as well have been claimed.
class MethodPairs {
 public:
  MethodPairs(const ReportData& data, const ClaimSettings& claim) : data_(data), claim_(claim) {
    pairs_.emplace(claim.method, claim.control);
    if (!are_alike(claim.method, claim.control)) {
      // As full fine-tuning is: then another method of the same size.
      for (const std::string& method : data.config.methods) {
        if (are_alike(method, claim.method)) pairs_.emplace(method, claim.control);
      }
      return;
    }
    for (const std::string& control : data.config.methods) add_control(claim.method, control);
    for (const std::string& method : data.config.methods) add_relative(method);
  }

  const std::set<MethodPair>& all() const { return pairs_; }

 private:
  /// Of nearly the same number of trained parameters, some at all.
  bool are_alike(const std::string& a, const std::string& b) const {
    constexpr double tolerance = 0.1;
    const auto first = static_cast<double>(trained_by(data_, a)),
               second = static_cast<double>(trained_by(data_, b));
    return first > 0 && std::abs(first - second) <= tolerance * first;
  }

  const std::string& family(const std::string& method) const {
    return data_.config.method.at(method).family;
  }

  void add_control(const std::string& method, const std::string& control) {
    if (control != method && are_alike(method, control)) pairs_.emplace(method, control);
  }

  /// Another size of the claimed method against the same size of its control.
  void add_relative(const std::string& method) {
    const std::string &of_method = family(claim_.method), &of_control = family(claim_.control);
    if (of_method.empty() || of_control.empty() || family(method) != of_method) return;
    for (const std::string& control : data_.config.methods) {
      if (family(control) == of_control) add_control(method, control);
    }
  }

  const ReportData& data_;
  const ClaimSettings& claim_;
  std::set<MethodPair> pairs_;
};

/// All rows of dev, those of even and those of odd place.
std::vector<std::vector<std::int64_t>> parts_of_dev(std::int64_t rows) {
  std::vector<std::vector<std::int64_t>> parts(3);
  for (std::int64_t row = 0; row < rows; ++row) {
    parts[0].push_back(row);
    parts[static_cast<std::size_t>(1 + row % 2)].push_back(row);
  }
  return parts;
}

void add_specifications(const ReportRun& method, const ReportRun& control, ClaimAnswer& answer) {
  for (const auto& rows : parts_of_dev(method.predictions->expected.size())) {
    if (rows.empty()) continue;
    const double points =
        100 * (score_on(*method.predictions, rows) - score_on(*control.predictions, rows));
    if (!std::isfinite(points)) continue;
    answer.specifications.push_back(
        {fmt::format("{} − {}", method.method, control.method), points});
  }
}

}  // namespace

void add_score_specifications(const ReportData& data, const ClaimSettings& claim,
                              ClaimAnswer& answer) {
  // A family's member is chosen by cross-fitting and could not be another.
  if (is_family(data.config, claim.method) || is_family(data.config, claim.control)) return;
  answer.effect = "difference of scores, points";
  answer.choices =
      "task, seed, all of dev or its rows of even or odd place, and methods of the same size";
  const MethodPairs pairs(data, claim);
  for (const auto& [name, control_name] : pairs.all()) {
    for (const ReportRun& method : data.runs) {
      if (method.method != name || !method.predictions || !is_about(claim, method.task)) continue;
      for (const ReportRun& control : data.runs) {
        const bool is_beside = control.method == control_name && control.predictions &&
                               control.task == method.task &&
                               control.replicate() == method.replicate();
        if (is_beside) add_specifications(method, control, answer);
      }
    }
  }
}

}  // namespace basis
