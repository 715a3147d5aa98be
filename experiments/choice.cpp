#include "experiments/choice.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "spectral/statistics.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/hash.h"

namespace basis {
namespace {

/// The scores of a grid, and the one that wins.
class RateChoice {
 public:
  RateChoice(StageContext& stage, const StageFunction& try_rate)
      : stage_(stage), try_rate_(try_rate) {
    for (const StageInput& input : stage.inputs) {
      if (input.stage->kind == StageKind::Grid) {
        tried_.push_back(&input);
        add(*input.stage, input.result);
      } else {
        before_.push_back(input);
      }
    }
  }

  StageResult run() {
    for (int i = 0; i < most_extensions && is_on_edge(); ++i) extend();
    write_file_atomically(stage_.folder / "choice.csv",
                          "learning_rate,seed,metric,score\n" + rows_);
    if (is_on_edge()) {
      stage_.remark(
          fmt::format("the best learning rate, {}, stands on the edge of those tried; add "
                      "{} ones to \"learning_rates\"",
                      best()->first, best() == scores_.begin() ? "lower" : "higher"));
    }
    StageResult result;
    result.metrics = {{"chosen_learning_rate", best()->first},
                      {"grid_" + metric_, mean(best()->second)},
                      {"is_on_edge", is_on_edge() ? 1 : 0}};
    return result;
  }

 private:
  using Scores = std::map<double, std::vector<double>>;  // by rate, ascending

  void add(const Stage& stage, const StageResult& result) {
    const auto& [name, score] = result.metrics.at(0);
    // A metric that is not defined, of constant answers say, is as good as none.
    scores_[stage.learning_rate].push_back(std::isfinite(score) ? score : 0);
    metric_ = name;
    rows_ += fmt::format("{},{},{},{}\n", stage.learning_rate, stage.seed, name, score);
  }

  Scores::const_iterator best() const {
    auto best = scores_.begin();
    for (auto it = scores_.begin(); it != scores_.end(); ++it) {
      if (mean(it->second) > mean(best->second)) best = it;
    }
    return best;
  }

  bool is_on_edge() const {
    return scores_.size() > 1 && (best() == scores_.begin() || std::next(best()) == scores_.end());
  }

  /// The next rate beyond the edge, with every seed of the grid.
  void extend() {
    std::vector<double> rates;
    for (const auto& [rate, scores] : scores_) rates.push_back(rate);
    const double edge = best()->first;
    if (edge == rates.front()) std::reverse(rates.begin(), rates.end());
    const double rate = next_rate(rates);
    stage_.remark(
        fmt::format("the best learning rate, {}, stands on the edge: {} is tried too", edge, rate));
    const double of = tried_.front()->stage->learning_rate;
    for (const StageInput* input : tried_) {
      if (input->stage->learning_rate == of) extend(*input->stage, rate);
    }
  }

  void extend(const Stage& like, double rate) {
    Stage stage = like;
    stage.learning_rate = rate;
    stage.identity = Hasher().add(like.identity).add("extended").add(rate).hex();
    StageContext context = stage_with(stage);
    make_folder(context.folder);
    const std::filesystem::path done = context.folder / "result.json";
    std::error_code error;
    if (!std::filesystem::exists(done, error)) {
      write_result(done, stage, try_rate_(context));
      std::filesystem::remove_all(context.checkpoint_folder(), error);
    }
    add(stage, read_result(done, stage));
  }

  /// What the grid's own stages see, but in a folder beneath this stage's.
  StageContext stage_with(const Stage& stage) const {
    const std::string name = fmt::format("rate-{}-seed-{}", stage.learning_rate, stage.seed);
    return {
        stage_.plan, stage,        stage_.store,           stage_.folder / name, before_,
        stage_.data, stage_.cache, stage_.report_progress, stage_.report_remark, stage_.stop_flag};
  }

  StageContext& stage_;
  const StageFunction& try_rate_;
  std::vector<const StageInput*> tried_;  // of the config's own rates
  std::vector<StageInput> before_;        // what a grid stage reads
  Scores scores_;
  std::string rows_;
  std::string metric_;
};

}  // namespace

StageResult run_choice(StageContext& stage, const StageFunction& try_rate) {
  return RateChoice(stage, try_rate).run();
}

double chosen_rate(const StageResult& choice) {
  for (const auto& [name, value] : choice.metrics) {
    if (name == "chosen_learning_rate") return value;
  }
  throw Error("a choice stage without its learning rate");
}

double next_rate(const std::vector<double>& rates) {
  // Grids alternate between two ratios, as 1, 3, 10: two steps back they repeat.
  const std::size_t n = rates.size();
  const double next =
      n > 2 ? rates[n - 2] * (rates[n - 1] / rates[n - 3]) : rates[1] * (rates[1] / rates[0]);
  // Without the last bits that the division leaves: a person could have written it.
  return std::stod(fmt::format("{:.6g}", next));
}

}  // namespace basis
