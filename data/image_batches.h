#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/image_set.h"

namespace basis {

/// Of all pixels of a set, where white is 1.
struct PixelStatistics {
  double mean = 0;
  double deviation = 1;  // of the whole, not of a sample
};

/// Throws Error for no pixels, and for pixels that are all the same.
PixelStatistics pixel_statistics(const ImageSet& set);

/// The images `rows` as a perceptron takes them: (B, h · w) f32, (pixel / 255 - mean) / deviation.
/// Throws Error for no rows or a deviation that is not above 0; InternalError for a row that the
/// set does not have.
std::vector<float> image_rows(const ImageSet& set, std::span<const std::int32_t> rows,
                              const PixelStatistics& statistics);

/// The same cut into squares of `patch` pixels a side, as a vision transformer takes them:
/// (B · (h / patch) · (w / patch), patch · patch), an image's patches in reading order, a patch's
/// pixels row by row. Throws Error besides where the patch does not divide height and width.
std::vector<float> image_patches(const ImageSet& set, std::span<const std::int32_t> rows,
                                 std::int64_t patch, const PixelStatistics& statistics);

/// Patches of an image of the set. Throws Error as image_patches does.
std::int64_t patches_of_one(const ImageSet& set, std::int64_t patch);

/// (B)
std::vector<std::int32_t> image_labels(const ImageSet& set, std::span<const std::int32_t> rows);

/// (count + 1): the RowOffsets (data/batch_plan.h) of a set whose images are `tokens` long each.
std::vector<std::int64_t> equal_offsets(std::int64_t count, std::int64_t tokens);

}  // namespace basis
