#include "data/cross_fitting.h"

#include <string_view>

#include <fmt/format.h>
#include <xxhash.h>

#include "tensor/error.h"

namespace basis {
namespace {

/// The candidate with the best score on `rows`.
std::int64_t best_on(std::span<const std::int64_t> rows, Metric metric,
                     std::span<const Answers> candidates, const Answers& expected) {
  const Answers right = select(expected, rows);
  std::int64_t best = 0;
  double best_score = 0;
  for (std::int64_t c = 0; c < std::ssize(candidates); ++c) {
    const double s = score(metric, select(candidates[static_cast<std::size_t>(c)], rows), right);
    if (c == 0 || s > best_score) {
      best = c;
      best_score = s;
    }
  }
  return best;
}

std::uint8_t half_of(std::string_view first, std::string_view second) {
  // The first hash seeds the second, so that ("ab", "c") and ("a", "bc") differ.
  const XXH64_hash_t seed = XXH3_64bits(first.data(), first.size());
  return static_cast<std::uint8_t>(XXH3_64bits_withSeed(second.data(), second.size(), seed) & 1);
}

std::uint8_t half_of_image(const ImageSet& set, std::int64_t place) {
  const auto image = set.image(place);
  return half_of({reinterpret_cast<const char*>(image.data()), image.size()}, {});
}

}  // namespace

std::vector<std::uint8_t> halves_of(std::span<const Example> rows, const TaskImages& images) {
  std::vector<std::uint8_t> halves;
  for (const Example& row : rows) {
    halves.push_back(row.image < 0 ? half_of(row.first, row.second)
                                   : half_of_image(images.set, row.image));
  }
  return halves;
}

std::vector<std::uint8_t> halves_of(const ImageSet& set) {
  std::vector<std::uint8_t> halves;
  for (std::int64_t i = 0; i < set.count; ++i) halves.push_back(half_of_image(set, i));
  return halves;
}

CrossFit cross_fit(Metric metric, std::span<const Answers> candidates, const Answers& expected,
                   std::span<const std::uint8_t> halves) {
  if (candidates.empty()) throw Error("cross-fitting: no candidate to choose from");
  for (const Answers& candidate : candidates) {
    if (candidate.size() != expected.size() || std::ssize(halves) != expected.size()) {
      throw Error(fmt::format("cross-fitting: {} answers and {} halves for {} rows",
                              candidate.size(), halves.size(), expected.size()));
    }
  }
  std::array<std::vector<std::int64_t>, 2> rows;
  for (std::int64_t i = 0; i < std::ssize(halves); ++i) {
    rows[halves[static_cast<std::size_t>(i)] & 1].push_back(i);
  }
  if (rows[0].empty() || rows[1].empty()) {
    throw Error(fmt::format("cross-fitting: {} rows do not fill two halves", halves.size()));
  }

  CrossFit fit;
  fit.pooled = expected;  // its size and kind; every row is overwritten below
  for (std::size_t half = 0; half < 2; ++half) {
    fit.chosen[half] = best_on(rows[half], metric, candidates, expected);
    const Answers& answers = candidates[static_cast<std::size_t>(fit.chosen[half])];
    for (std::int64_t row : rows[1 - half]) {
      const auto i = static_cast<std::size_t>(row);
      if (answers.numbers.empty()) {
        fit.pooled.classes[i] = answers.classes[i];
      } else {
        fit.pooled.numbers[i] = answers.numbers[i];
      }
    }
  }
  fit.score = score(metric, fit.pooled, expected);
  return fit;
}

}  // namespace basis
