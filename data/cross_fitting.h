#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/image_set.h"
#include "data/metrics.h"

namespace basis {

/// 0 or 1 for each row by a hash (XXH3-64) of its texts, or of the pixels of its image among
/// `images`: stable when the file's rows change places, and rows of the same text or pixels,
/// whatever their labels, fall into the same half.
std::vector<std::uint8_t> halves_of(std::span<const Example> rows, const TaskImages& images = {});
/// The same by an image's pixels.
std::vector<std::uint8_t> halves_of(const ImageSet& set);

/// What cross-fitting says (METHODS.md 2, "Statistics").
struct CrossFit {
  /// chosen[h]: the candidate that is best on half h and gives the answers of the other half.
  std::array<std::int64_t, 2> chosen{};
  Answers pooled;    // all of dev, each half answered by the candidate that the other half chose
  double score = 0;  // of the pooled answers
};

/// Chooses among candidates (learning rates, ranks) on one half and scores on the other, both ways,
/// the metric once on the pooled answers. Among equals the first candidate wins.
///   candidates: the answers of each on all of dev; expected: what is right; halves: of each row.
/// Throws Error for no candidate, unequal sizes, or a half without rows.
CrossFit cross_fit(Metric metric, std::span<const Answers> candidates, const Answers& expected,
                   std::span<const std::uint8_t> halves);

}  // namespace basis
