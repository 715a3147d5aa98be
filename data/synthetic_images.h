#pragma once

#include <cstdint>

#include "data/image_set.h"

namespace basis {

/// Images from `first` on out of an endless row of them, 28 x 28, which needs no files: ring,
/// square, triangle, plus, cross, two bars lying and standing, corner, T and Z, drawn with strokes.
/// Place, width, height, thickness, brightness and corners vary, and there is noise. Image i is of
/// class i mod 10 and a pure function of (seed, i): a range is a split. The same seed gives the
/// same bits on every machine. Throws Error for a negative count or place, and for places above
/// 2^32.
ImageSet synthetic_images(std::int64_t count, std::uint64_t seed, std::int64_t first = 0);

}  // namespace basis
