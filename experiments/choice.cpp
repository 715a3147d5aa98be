#include "experiments/choice.h"

#include <cmath>
#include <map>

#include <fmt/format.h>

#include "spectral/statistics.h"
#include "tensor/error.h"
#include "tensor/file.h"

namespace basis {

StageResult run_choice(StageContext& stage) {
  std::map<double, std::vector<double>> scores;  // by rate, ascending
  std::string table = "learning_rate,seed,metric,score\n";
  std::string metric;
  for (const StageInput& input : stage.inputs) {
    const auto& [name, score] = input.result.metrics.at(0);
    // A metric that is not defined, of constant answers say, is as good as none.
    scores[input.stage->learning_rate].push_back(std::isfinite(score) ? score : 0);
    metric = name;
    table +=
        fmt::format("{},{},{},{}\n", input.stage->learning_rate, input.stage->seed, name, score);
  }
  write_file_atomically(stage.folder / "choice.csv", table);
  auto best = scores.begin();
  for (auto it = scores.begin(); it != scores.end(); ++it) {
    if (mean(it->second) > mean(best->second)) best = it;
  }
  const bool is_on_edge =
      scores.size() > 1 && (best == scores.begin() || std::next(best) == scores.end());
  if (is_on_edge) {
    stage.remark(
        fmt::format("the best learning rate, {}, stands on the edge of those tried; add "
                    "{} ones to \"learning_rates\"",
                    best->first, best == scores.begin() ? "lower" : "higher"));
  }
  StageResult result;
  result.metrics = {{"chosen_learning_rate", best->first},
                    {"grid_" + metric, mean(best->second)},
                    {"is_on_edge", is_on_edge ? 1 : 0}};
  return result;
}

double chosen_rate(const StageResult& choice) {
  for (const auto& [name, value] : choice.metrics) {
    if (name == "chosen_learning_rate") return value;
  }
  throw Error("a choice stage without its learning rate");
}

}  // namespace basis
