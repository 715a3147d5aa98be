#pragma once

#include <cstdint>
#include <vector>

#include "data/image_set.h"

namespace basis {

/// All rows of the set in an order of which every beginning is a fair share: among the first n rows
/// a class with share s of the set has n · s, to within (1 + s · classes) / 2, which is one where
/// all classes are equally many. Which of a class's rows come first is drawn by the seed.
std::vector<std::int32_t> stratified_order(const ImageSet& set, std::uint64_t seed);

/// The first `rows` of that order as a set, so that a smaller one lies in every larger one of the
/// same seed. Throws Error for fewer than 1 or more than there are.
ImageSet nested_subset(const ImageSet& set, std::int64_t rows, std::uint64_t seed);

}  // namespace basis
