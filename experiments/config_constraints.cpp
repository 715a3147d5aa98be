#include "experiments/config_constraints.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "data/image_transforms.h"
#include "experiments/contains.h"
#include "tensor/error.h"

namespace basis::constraints {

Constraint anything() {
  return {};
}

Constraint at_least(std::int64_t least) {
  // Far above every sensible size, far below where a product of two would overflow.
  constexpr std::int64_t most = 1'000'000'000;
  const auto holds = [=](std::int64_t value) { return value >= least && value <= most; };
  return {fmt::format("at least {}, at most 1e9", least), holds, {}, {}, {}};
}

Constraint between(std::int64_t least, std::int64_t most) {
  const auto holds = [=](std::int64_t value) { return value >= least && value <= most; };
  return {fmt::format("{} to {}", least, most), holds, {}, {}, {}};
}

Constraint number_from(double least, double below) {
  const auto holds = [=](double value) { return value >= least && value < below; };
  const bool has_end = std::isfinite(below);
  return {has_end ? fmt::format("at least {}, below {}", least, below)
                  : fmt::format("at least {}", least),
          {},
          holds,
          {},
          {}};
}

Constraint not_negative() {
  return number_from(0, std::numeric_limits<double>::infinity());
}

Constraint positive() {
  return {"above 0", {}, [](double value) { return value > 0 && std::isfinite(value); }, {}, {}};
}

Constraint share() {
  return {"0 to 1", {}, [](double value) { return value >= 0 && value <= 1; }, {}, {}};
}

Constraint share_or_inherited() {
  const auto holds = [](double value) { return value == -1 || (value >= 0 && value < 1); };
  return {"-1, or at least 0 and below 1", {}, holds, {}, {}};
}

Constraint share_or_own() {
  const auto holds = [](double value) { return value == -1 || (value >= 0 && value <= 1); };
  return {"-1, or 0 to 1", {}, holds, {}, {}};
}

Constraint one_of(std::vector<std::string> choices) {
  const auto holds = [choices](const std::string& text) { return contains(choices, text); };
  return {fmt::format("{}", fmt::join(choices, " | ")), {}, {}, holds, choices};
}

Constraint positive_share() {
  return {"above 0, at most 1", {}, [](double value) { return value > 0 && value <= 1; }, {}, {}};
}

Constraint checkpoint_name() {
  const auto holds = [](const std::string& text) {
    const auto is_digits = [](const std::string& part) {
      return !part.empty() && part.size() <= 12 &&
             part.find_first_not_of("0123456789") == std::string::npos;
    };
    const bool is_matching = text.starts_with("matching ") && text.size() > 9;
    return text == "final" || text == "best" || is_digits(text) || is_matching;
  };
  return {"final | best | matching NAME | a number of tokens", {}, {}, holds, {"final", "best"}};
}

Constraint not_empty() {
  return {"not empty", {}, {}, [](const std::string& text) { return !text.empty(); }, {}};
}

Constraint file_name() {
  const auto holds = [](const std::string& text) {
    const auto is_plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    };
    return !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), is_plain);
  };
  return {"letters, digits, - _ and ., at most 64", {}, {}, holds, {}};
}

Constraint image_transform() {
  const auto holds = [](const std::string& text) {
    try {
      parse_image_transform(text);
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  return {"rotated:DEGREES | rotated:FROM..TO | inverted | noisy:DEVIATION", {}, {}, holds, {}};
}

}  // namespace basis::constraints
