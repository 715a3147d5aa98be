#include "data/image_batches.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::size_t values = 256;  // that a pixel can have

/// What each value of a pixel becomes.
std::array<float, values> scaled_values(const PixelStatistics& statistics) {
  if (!(statistics.deviation > 0) || !std::isfinite(statistics.deviation) ||
      !std::isfinite(statistics.mean)) {
    throw Error(fmt::format("images: pixels of mean {} and deviation {} cannot be normalised",
                            statistics.mean, statistics.deviation));
  }
  std::array<float, values> scaled{};
  for (std::size_t value = 0; value < values; ++value) {
    const double share = static_cast<double>(value) / 255;
    scaled[value] = static_cast<float>((share - statistics.mean) / statistics.deviation);
  }
  return scaled;
}

void check_rows(const ImageSet& set, std::span<const std::int32_t> rows) {
  if (rows.empty()) throw Error("batch: no images");
  for (std::int32_t row : rows) {
    ensure(row >= 0 && row < set.count, "image batches: rows of the set");
  }
}

}  // namespace

PixelStatistics pixel_statistics(const ImageSet& set) {
  if (set.pixels.empty()) throw Error("pixel statistics: the set has no images");
  std::array<std::int64_t, values> counts{};  // whole numbers: no order changes the result
  for (std::uint8_t pixel : set.pixels) ++counts[pixel];
  const auto total = static_cast<double>(set.pixels.size());
  double sum = 0;
  for (std::size_t value = 0; value < values; ++value) {
    sum += static_cast<double>(counts[value]) * static_cast<double>(value);
  }
  const double mean = sum / total;
  double squares = 0;
  for (std::size_t value = 0; value < values; ++value) {
    const double off = static_cast<double>(value) - mean;
    squares += static_cast<double>(counts[value]) * off * off;
  }
  if (squares == 0) {
    throw Error(fmt::format("pixel statistics: every pixel is {}, nothing can be learned from that",
                            set.pixels[0]));
  }
  return {mean / 255, std::sqrt(squares / total) / 255};
}

std::vector<float> image_rows(const ImageSet& set, std::span<const std::int32_t> rows,
                              const PixelStatistics& statistics) {
  check_rows(set, rows);
  const auto scaled = scaled_values(statistics);
  std::vector<float> batch;
  batch.reserve(rows.size() * static_cast<std::size_t>(set.pixels_of_one()));
  for (std::int32_t row : rows) {
    for (std::uint8_t pixel : set.image(row)) batch.push_back(scaled[pixel]);
  }
  return batch;
}

std::vector<float> image_patches(const ImageSet& set, std::span<const std::int32_t> rows,
                                 std::int64_t patch, const PixelStatistics& statistics) {
  check_rows(set, rows);
  patches_of_one(set, patch);
  const auto scaled = scaled_values(statistics);
  std::vector<float> batch;
  batch.reserve(rows.size() * static_cast<std::size_t>(set.pixels_of_one()));
  for (std::int32_t row : rows) {
    const auto image = set.image(row);
    for (std::int64_t top = 0; top < set.height; top += patch) {
      for (std::int64_t left = 0; left < set.width; left += patch) {
        for (std::int64_t y = top; y < top + patch; ++y) {
          const auto line = image.subspan(static_cast<std::size_t>(y * set.width + left),
                                          static_cast<std::size_t>(patch));
          for (std::uint8_t pixel : line) batch.push_back(scaled[pixel]);
        }
      }
    }
  }
  return batch;
}

std::int64_t patches_of_one(const ImageSet& set, std::int64_t patch) {
  if (patch < 1 || set.height % patch != 0 || set.width % patch != 0) {
    throw Error(
        fmt::format("patches of {} x {} asked, which do not fill images of {} x {}; choose "
                    "a side that divides both",
                    patch, patch, set.height, set.width));
  }
  return (set.height / patch) * (set.width / patch);
}

std::vector<std::int32_t> image_labels(const ImageSet& set, std::span<const std::int32_t> rows) {
  check_rows(set, rows);
  std::vector<std::int32_t> labels;
  for (std::int32_t row : rows) labels.push_back(set.labels[static_cast<std::size_t>(row)]);
  return labels;
}

std::vector<std::int64_t> equal_offsets(std::int64_t count, std::int64_t tokens) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i <= count; ++i) offsets.push_back(i * tokens);
  return offsets;
}

}  // namespace basis
