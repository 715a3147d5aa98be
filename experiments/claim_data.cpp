#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "experiments/claims.h"
#include "experiments/contains.h"
#include "experiments/html.h"

namespace basis {
namespace {

/// What the rotation ratio is taken over: all matrices and sides at the claim's k, or one choice.
using Choice = std::tuple<std::string, std::string, std::string, std::int64_t>;  // as ReportEffect
const Choice whole{"", "", "", 0};

/// A fine-tuning of every model of the claim that differs in nothing else.
struct Round {
  std::string task;
  std::int64_t pretrain_seed = 0;
  std::int64_t seed = 0;
  auto operator<=>(const Round&) const = default;
};

/// Doses by choice, of each model in each round.
using Doses = std::map<Round, std::map<std::string, std::map<Choice, DoseCurve>>>;

bool is_dose(const MethodSettings& method) {
  return method.kind == "full" && method.start == "pretrained" && method.labels == "true";
}

/// Full fine-tunings at all their learning rates, of every model.
Doses doses_of(const ReportData& data, const ClaimSettings& claim) {
  Doses doses;
  for (const ReportSpectrum& run : data.spectra) {
    if (!is_about(claim, run.task) || !is_dose(data.config.method.at(run.method))) continue;
    auto& of_run = doses[{run.task, run.pretrain_seed, run.seed}][run.model];
    const double change = std::log(run.change);
    if (const auto ratio = ratio_at(run, claim.k)) {
      of_run[whole].emplace_back(change, std::log(*ratio));
    }
    for (const ReportEffect& effect : run.effects) {
      if (!std::isfinite(effect.ratio) || !(effect.ratio > 0)) continue;
      of_run[{effect.side, effect.kind, effect.control, effect.k}].emplace_back(
          change, std::log(effect.ratio));
    }
  }
  return doses;
}

/// Of each task: the mean log change of the claim's method over its models.
std::map<std::string, double> matched_changes(const ReportData& data, const ClaimSettings& claim) {
  std::map<std::string, std::vector<double>> changes;
  for (const ReportSpectrum& run : data.spectra) {
    const bool is_claimed = contains(claim.models, run.model);
    if (is_claimed && run.base_method == claim.method && is_about(claim, run.task)) {
      changes[run.task].push_back(std::log(run.change));
    }
  }
  std::map<std::string, double> means;
  for (const auto& [task, values] : changes) means[task] = mean(values);
  return means;
}

double least_squares_slope(const std::vector<double>& x, const std::vector<double>& y) {
  const double x_mean = mean(x), y_mean = mean(y);
  double above = 0, below = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    above += (x[i] - x_mean) * (y[i] - y_mean);
    below += (x[i] - x_mean) * (x[i] - x_mean);
  }
  return above / below;
}

/// Answers one claim; every number of it is a value a pretraining seed, then an interval over them.
class DataSlope {
 public:
  DataSlope(const ReportData& data, const ClaimSettings& claim)
      : data_(data),
        claim_(claim),
        doses_(doses_of(data, claim)),
        changes_(matched_changes(data, claim)) {
    for (const std::string& model : claim.models) {
      log_data_.push_back(std::log(data.config.pretrain_for(model).data_share));
    }
  }

  ClaimAnswer answer() {
    ClaimAnswer answer;
    answer.unit = "ρ, and slopes of log ρ on log data";
    for (const std::string& model : data_.config.models) {
      add_model(answer, model);
    }
    for (const auto& [task, change] : changes_) {
      const std::vector<double> slopes = slopes_of(whole, task);
      if (slopes.empty()) continue;
      ClaimRow row = row_of(fmt::format("{}, slope at a change of {} %", task,
                                        significant_text(100 * std::exp(change), 2)),
                            slopes);
      row.meaning = told_of_zero(row);
      answer.rows.push_back(std::move(row));
    }
    decide(answer);
    add_specifications(answer);
    return answer;
  }

 private:
  /// log ρ of a model at the matched change of the round's task.
  std::optional<double> at_change(const Round& round, const std::string& model,
                                  const Choice& choice) const {
    const auto change = changes_.find(round.task);
    const auto models = doses_.find(round);
    if (change == changes_.end() || models == doses_.end()) return std::nullopt;
    const auto choices = models->second.find(model);
    if (choices == models->second.end()) return std::nullopt;
    const auto curve = choices->second.find(choice);
    if (curve == choices->second.end()) return std::nullopt;
    return on_curve(curve->second, change->second);
  }

  /// The means over rounds of each pretraining seed.
  void add_model(ClaimAnswer& answer, const std::string& model) const {
    std::map<std::int64_t, std::vector<double>> by_seed;
    for (const auto& [round, models] : doses_) {
      if (const auto value = at_change(round, model, whole)) {
        by_seed[round.pretrain_seed].push_back(*value);
      }
    }
    std::vector<double> ratios;
    for (const auto& [seed, values] : by_seed) ratios.push_back(std::exp(mean(values)));
    if (ratios.empty()) return;
    answer.rows.push_back(
        ratio_row_of(fmt::format("{}, ρ at k = {} and equal change", model, claim_.k), ratios));
  }

  /// One slope where the round has every model of the claim.
  std::optional<double> slope_of(const Round& round, const Choice& choice) const {
    std::vector<double> ratios;
    for (const std::string& model : claim_.models) {
      const auto value = at_change(round, model, choice);
      if (!value) return std::nullopt;
      ratios.push_back(*value);
    }
    return least_squares_slope(log_data_, ratios);
  }

  /// Means over rounds (of one task, or of all) of each pretraining seed.
  std::vector<double> slopes_of(const Choice& choice, const std::string& task) const {
    std::map<std::int64_t, std::vector<double>> by_seed;
    for (const auto& [round, models] : doses_) {
      if (!task.empty() && round.task != task) continue;
      if (const auto slope = slope_of(round, choice)) {
        by_seed[round.pretrain_seed].push_back(*slope);
      }
    }
    std::vector<double> slopes;
    for (const auto& [seed, values] : by_seed) slopes.push_back(mean(values));
    return slopes;
  }

  void decide(ClaimAnswer& answer) const {
    const std::vector<double> slopes = slopes_of(whole, "");
    if (slopes.size() < 2) {
      answer.reason = "It takes two pretraining seeds or more, each with every model.";
      return;
    }
    ClaimRow row = row_of("all tasks, slope", slopes);
    row.meaning = told_of_zero(row);
    answer.verdict = row.value.high < 0 ? Verdict::Held : Verdict::Not;
    answer.reason = fmt::format(
        "The slope of log ρ at k = {} on log data is {} ({} to {}) over {} pretraining seeds; an "
        "interval below 0 is asked for.",
        claim_.k, significant_text(row.value.estimate, 3), significant_text(row.value.low, 3),
        significant_text(row.value.high, 3), slopes.size());
    answer.rows.push_back(std::move(row));
  }

  void add_specifications(ClaimAnswer& answer) const {
    answer.effect = "slope of log rotation over the control's on log data, at equal change";
    answer.choices = "task, seeds, side, kind of matrix, k = 1, 2, 4, ... and control";
    for (const auto& [round, models] : doses_) {
      std::set<Choice> choices;
      for (const auto& [model, curves] : models) {
        for (const auto& [choice, curve] : curves) {
          if (choice != whole) choices.insert(choice);
        }
      }
      for (const Choice& choice : choices) {
        if (const auto slope = slope_of(round, choice)) {
          answer.specifications.push_back({round.task, *slope});
        }
      }
    }
  }

  const ReportData& data_;
  const ClaimSettings& claim_;
  const Doses doses_;
  const std::map<std::string, double> changes_;  // logarithms
  std::vector<double> log_data_;                 // of the claim's models
};

}  // namespace

ClaimAnswer answer_data_slope(const ReportData& data, const ClaimSettings& claim) {
  return DataSlope(data, claim).answer();
}

}  // namespace basis
