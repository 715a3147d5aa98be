#include "experiments/stage_result.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_text.h"

namespace basis {
namespace {

// JSON has no NaN: it is null there.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

double number_of(const nlohmann::json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

}  // namespace

void write_result(const std::filesystem::path& path, const Stage& stage,
                  const StageResult& result) {
  nlohmann::ordered_json json = {{"stage", stage.label},
                                 {"kind", name_of(stage.kind)},
                                 {"task", stage.task},
                                 {"method", stage.method},
                                 {"seed", stage.seed},
                                 {"identity", stage.identity},
                                 {"results_version", results_version}};
  // A list and no object, whose order no reader would keep.
  json["metrics"] = nlohmann::ordered_json::array();
  for (const auto& [name, value] : result.metrics) {
    json["metrics"].push_back({{"name", name}, {"value", number(value)}});
  }
  json["trainable"] = result.trainable;
  json["trainable_share"] = number(result.trainable_share);
  json["adapted_share"] = number(result.adapted_share);
  json["head_parameters"] = result.head_parameters;
  json["tokens_per_s"] = number(result.tokens_per_s);
  json["peak_mib"] = number(result.peak_mib);
  json["seconds"] = number(result.seconds);
  write_file_atomically(path, json.dump(1) + "\n");
}

StageResult read_result(const std::filesystem::path& path, const Stage& stage) {
  StageResult result;
  std::string identity;
  try {
    const nlohmann::json json = parse_json(read_file(path), path.string());
    json.at("identity").get_to(identity);
    for (const nlohmann::json& metric : json.at("metrics")) {
      result.metrics.emplace_back(metric.at("name").get<std::string>(),
                                  number_of(metric.at("value")));
    }
    json.at("trainable").get_to(result.trainable);
    result.trainable_share = number_of(json.at("trainable_share"));
    result.adapted_share = number_of(json.at("adapted_share"));
    json.at("head_parameters").get_to(result.head_parameters);
    result.tokens_per_s = number_of(json.at("tokens_per_s"));
    result.peak_mib = number_of(json.at("peak_mib"));
    result.seconds = number_of(json.at("seconds"));
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("{}: not the result of a stage ({}); remove its folder to run it again",
                            path.string(), error.what()));
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
