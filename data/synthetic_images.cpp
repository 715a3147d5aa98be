#include "data/synthetic_images.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/philox.h"

// All of it in whole numbers, so that no compiler's or library's rounding can change a pixel.

namespace basis {
namespace {

constexpr std::int64_t side = 28;     // pixels
constexpr std::int64_t unit = 16;     // lengths are in 1/16 of a pixel
constexpr std::int64_t samples = 4;   // of a pixel along an axis
constexpr std::int64_t extent = 256;  // half the side of the square in which a shape is described
constexpr std::uint64_t purpose = 0x696d6167ull << 32;  // "imag"; below it the image's place

struct Point {
  std::int64_t x, y;  // right and down
};
/// A line of strokes from point to point.
using Path = std::vector<Point>;
using Glyph = std::vector<Path>;

/// A circle as a polygon.
Path ring() {
  const std::array<Point, 12> corners = {{{256, 0},
                                          {222, 128},
                                          {128, 222},
                                          {0, 256},
                                          {-128, 222},
                                          {-222, 128},
                                          {-256, 0},
                                          {-222, -128},
                                          {-128, -222},
                                          {0, -256},
                                          {128, -222},
                                          {222, -128}}};
  Path path(corners.begin(), corners.end());
  path.push_back(corners.front());
  return path;
}

/// By class.
const std::array<Glyph, 10>& glyphs() {
  static const std::array<Glyph, 10> all = {{
      {ring()},
      {{{-256, -256}, {256, -256}, {256, 256}, {-256, 256}, {-256, -256}}},  // square
      {{{0, -256}, {256, 256}, {-256, 256}, {0, -256}}},                     // triangle
      {{{-256, 0}, {256, 0}}, {{0, -256}, {0, 256}}},                        // plus
      {{{-256, -256}, {256, 256}}, {{256, -256}, {-256, 256}}},              // cross
      {{{-256, -160}, {256, -160}}, {{-256, 160}, {256, 160}}},              // lying bars
      {{{-160, -256}, {-160, 256}}, {{160, -256}, {160, 256}}},              // standing bars
      {{{-256, -256}, {-256, 256}, {256, 256}}},                             // corner
      {{{-256, -256}, {256, -256}}, {{0, -256}, {0, 256}}},                  // T
      {{{-256, -256}, {256, -256}, {-256, 256}, {256, 256}}},                // Z
  }};
  return all;
}

/// Uniform in [low, high].
std::int64_t between(RandomStream& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

/// How many of a pixel's 16 samples a shape covers, for each pixel.
class Canvas {
 public:
  /// Covers what is at most `radius` away from the segment.
  void stroke(Point from, Point to, std::int64_t radius) {
    const auto reach = [&](std::int64_t a, std::int64_t b) {
      return std::pair(std::max<std::int64_t>((std::min(a, b) - radius) / step, 0),
                       std::min((std::max(a, b) + radius) / step + 1, samples * side));
    };
    const auto [left, right] = reach(from.x, to.x);
    const auto [top, bottom] = reach(from.y, to.y);
    for (std::int64_t y = top; y < bottom; ++y) {
      for (std::int64_t x = left; x < right; ++x) {
        const Point sample{x * step + step / 2, y * step + step / 2};
        if (is_near(sample, from, to, radius)) covered_[at(y, x)] = 1;
      }
    }
  }

  /// 0 to 16.
  std::int64_t coverage(std::int64_t row, std::int64_t column) const {
    std::int64_t sum = 0;
    for (std::int64_t y = row * samples; y < (row + 1) * samples; ++y) {
      for (std::int64_t x = column * samples; x < (column + 1) * samples; ++x) {
        sum += covered_[at(y, x)];
      }
    }
    return sum;
  }

 private:
  static constexpr std::int64_t step = unit / samples;

  static std::size_t at(std::int64_t y, std::int64_t x) {
    return static_cast<std::size_t>(y * samples * side + x);
  }

  static bool is_near(Point p, Point from, Point to, std::int64_t radius) {
    const std::int64_t dx = to.x - from.x, dy = to.y - from.y;
    const std::int64_t length2 = dx * dx + dy * dy;
    const std::int64_t along = (p.x - from.x) * dx + (p.y - from.y) * dy;
    if (along <= 0 || along >= length2) {  // nearest to an end
      const Point end = along <= 0 ? from : to;
      const std::int64_t ex = p.x - end.x, ey = p.y - end.y;
      return ex * ex + ey * ey <= radius * radius;
    }
    const std::int64_t across = (p.x - from.x) * dy - (p.y - from.y) * dx;
    return across * across <= radius * radius * length2;
  }

  std::array<std::uint8_t, samples * side * samples * side> covered_{};
};

/// A shape's place, size, thickness and shaken corners.
Canvas draw(const Glyph& glyph, RandomStream& random) {
  const std::int64_t half_width = between(random, 4 * unit, 8 * unit);
  const std::int64_t half_height = between(random, 4 * unit, 8 * unit);
  const auto place = [&](std::int64_t half) {  // room for the thickness and the shaking
    const std::int64_t margin = half + 3 * unit;
    return between(random, margin, side * unit - margin);
  };
  const Point centre{place(half_width), place(half_height)};
  const std::int64_t radius = between(random, unit * 5 / 8, unit * 3 / 2);
  const auto shaken = [&](Point point) {
    const auto shake = [&] { return between(random, -unit * 3 / 2, unit * 3 / 2); };
    return Point{centre.x + point.x * half_width / extent + shake(),
                 centre.y + point.y * half_height / extent + shake()};
  };
  Canvas canvas;
  for (const Path& path : glyph) {
    Point from = shaken(path.front());
    for (std::size_t i = 1; i < path.size(); ++i) {
      const Point to = shaken(path[i]);
      canvas.stroke(from, to, radius);
      from = to;
    }
  }
  return canvas;
}

/// Near to normal, of standard deviation 1/16 of `scale`: the sum of four bytes has 148.
std::int64_t noise(RandomStream& random, std::int64_t scale) {
  const std::uint32_t word = random.next_u32();
  const std::int64_t sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
  return (sum - 510) * scale / (16 * 148);
}

void paint(std::span<std::uint8_t> image, std::int64_t label, std::uint64_t seed,
           std::uint64_t place) {
  RandomStream random(seed, purpose | place);
  const Canvas canvas = draw(glyphs()[static_cast<std::size_t>(label)], random);
  const std::int64_t ink = between(random, 110, 255);
  const std::int64_t grain = between(random, 0, 500);  // up to a standard deviation of 31
  for (std::int64_t row = 0; row < side; ++row) {
    for (std::int64_t column = 0; column < side; ++column) {
      const std::int64_t value =
          ink * canvas.coverage(row, column) / (samples * samples) + noise(random, grain);
      image[static_cast<std::size_t>(row * side + column)] =
          static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
    }
  }
}

}  // namespace

ImageSet synthetic_images(std::int64_t count, std::uint64_t seed, std::int64_t first) {
  constexpr std::int64_t places = std::int64_t{1} << 32;
  if (count < 0 || count > INT32_MAX || first < 0 || first > places - count) {
    throw Error(
        fmt::format("synthetic images: {} from {} on asked; counts and places start at 0, "
                    "at most {} at once, places end at {}",
                    count, first, INT32_MAX, places));
  }
  ImageSet set{count, side, side, std::ssize(glyphs()), {}, {}};
  set.pixels.resize(static_cast<std::size_t>(count * side * side));
  set.labels.resize(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = (first + i) % set.classes;
    set.labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(label);
    paint(set.image(i), label, seed, static_cast<std::uint64_t>(first + i));
  }
  return set;
}

}  // namespace basis
