#include "experiments/stage_result.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/json_keys.h"

namespace basis {

std::int64_t summary_rank(const std::vector<std::int64_t>& ranks) {
  constexpr std::int64_t wanted = 32;
  return *std::min_element(ranks.begin(), ranks.end(), [](std::int64_t a, std::int64_t b) {
    return std::abs(a - wanted) < std::abs(b - wanted);
  });
}

double metric_named(const StageResult& result, std::string_view name) {
  for (const auto& [known, value] : result.metrics) {
    if (known == name) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void write_result(const std::filesystem::path& path, const Stage& stage,
                  const StageResult& result) {
  // A list and no object, whose order not every reader would keep.
  Json metrics = Json::list();
  for (const auto& [name, value] : result.metrics) {
    metrics.append(Json::object({{"name", name}, {"value", value}}));
  }
  const Json json = Json::object({{"stage", stage.label},
                                  {"kind", name_of(stage.kind)},
                                  {"task", stage.task},
                                  {"method", stage.method},
                                  {"seed", stage.seed},
                                  {"identity", stage.identity},
                                  {"results_version", results_version},
                                  {"metrics", std::move(metrics)},
                                  {"trainable", result.trainable},
                                  {"trainable_share", result.trainable_share},
                                  {"adapted_share", result.adapted_share},
                                  {"head_parameters", result.head_parameters},
                                  {"tokens_per_s", result.tokens_per_s},
                                  {"peak_mib", result.peak_mib},
                                  {"seconds", result.seconds}});
  json.write(path, 1);
}

StageResult read_result(const std::filesystem::path& path, const Stage& stage) {
  StageResult result;
  std::string identity;
  try {
    const JsonKeys keys = JsonKeys::read(path);
    identity = keys.text("identity");
    for (const JsonKeys& metric : keys.objects("metrics")) {
      result.metrics.emplace_back(metric.text("name"), metric.number_or_nan("value"));
    }
    result.trainable = keys.integer("trainable");
    result.trainable_share = keys.number_or_nan("trainable_share");
    result.adapted_share = keys.number_or_nan("adapted_share");
    result.head_parameters = keys.integer("head_parameters");
    result.tokens_per_s = keys.number_or_nan("tokens_per_s");
    result.peak_mib = keys.number_or_nan("peak_mib");
    result.seconds = keys.number_or_nan("seconds");
  } catch (const Error& error) {
    throw Error(fmt::format(
        "{} (expected the result of a stage); remove its folder to run it again", error.what()));
  }
  if (identity != stage.identity) {
    throw Error(
        fmt::format("{}: the result of another stage ({}, expected {}); remove its folder "
                    "to run this one",
                    path.string(), identity, stage.identity));
  }
  return result;
}

}  // namespace basis
