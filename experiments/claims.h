#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "experiments/report_data.h"
#include "spectral/statistics.h"

namespace basis {

enum class Verdict : std::uint8_t { Held, InPart, Not, Undecided };

/// "held", "held in part", "not held", "not decided".
const char* name_of(Verdict verdict);

/// A number behind a verdict.
struct ClaimRow {
  std::string label;
  Interval value;            // estimate alone where `has_interval` is false
  bool has_interval = true;  // there are two replicates or more
  std::string meaning;       // what it has to be, and whether it is
};

/// One choice among all that could have been made, and the effect it finds.
struct Specification {
  std::string group;  // the choice that colours it
  double effect = 0;
};

/// What the report says to a claim.
struct ClaimAnswer {
  ClaimSettings claim;
  Verdict verdict = Verdict::Undecided;
  std::string reason;  // in a sentence, with the number that decides
  std::string unit;    // of the rows' values
  std::vector<ClaimRow> rows;
  double confidence = 0.95;  // of the rows' intervals
  std::vector<Specification> specifications;
  double neutral = 0;   // the effect of nothing
  bool is_log = false;  // effects are ratios
  std::string effect;   // what the specifications measure, with its unit
  std::string choices;  // over what they range
};

/// The answer to every claim of the config. Statistics are METHODS 2's: runs are the replicates,
/// t-intervals over them; below two replicates nothing is decided.
std::vector<ClaimAnswer> answer_claims(const ReportData& data);

// By endpoint.
ClaimAnswer answer_rotation_ratio(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_co_drift(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_score_share(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_score_difference(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_score_margin(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_surgery(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_robustness_difference(const ReportData& data, const ClaimSettings& claim);

/// Basins in relative noise, and shares of the score kept after [retention]'s task: of two methods,
/// or of two models.
ClaimAnswer answer_basin_ratio(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_kept_difference(const ReportData& data, const ClaimSettings& claim);
ClaimAnswer answer_data_slope(const ReportData& data, const ClaimSettings& claim);

/// Of an endpoint on scores: every choice that could as well have been made.
void add_score_specifications(const ReportData& data, const ClaimSettings& claim,
                              ClaimAnswer& answer);

/// Does the task decide the claim?
bool is_about(const ClaimSettings& claim, const std::string& task);

/// Doses of one thing: log change and log of what it did.
using DoseCurve = std::vector<std::pair<double, double>>;
/// At a log change, on the lines through the doses; beyond them that of the nearest. Nothing
/// without doses.
std::optional<double> on_curve(DoseCurve doses, double log_change);
/// rho_k of a run, where it has one.
std::optional<double> ratio_at(const ReportSpectrum& run, std::int64_t k);

/// Co-drift of a relation at k by replicate: means over pairs, matrices and sides; of a claim's
/// model and tasks alone where one is given.
std::map<Replicate, double> co_drift_of(const ReportData& data, const std::string& relation,
                                        std::int64_t k, const ClaimSettings& claim = {});

/// The t-interval of replicates' values; the mean alone for one of them. Throws Error for none.
ClaimRow row_of(std::string label, const std::vector<double>& values);
/// The same of positive values by their logarithms, back on their own scale.
ClaimRow ratio_row_of(std::string label, std::vector<double> values);
/// Where the row's interval lies, in words.
std::string told_of_zero(const ClaimRow& row);

}  // namespace basis
