#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "data/image_set.h"

namespace basis {

/// A change of every image of a set that keeps sizes and labels.
struct ImageTransform {
  enum class Kind : std::uint8_t { Rotated, Inverted, Noisy };

  Kind kind = Kind::Inverted;
  double low = 0;        // of a rotation: degrees, counter-clockwise as one sees the image
  double high = 0;       // each image's angle is uniform in [low, high)
  double deviation = 0;  // of noise: standard deviation, where 1 is 255 of a pixel

  /// The text from which parse_image_transform makes it.
  std::string to_string() const;
  bool operator==(const ImageTransform&) const = default;
};

/// "rotated:30", "rotated:-30..30", "inverted", "noisy:0.2". Throws Error with the forms that there
/// are for another text, a number that is none, angles beyond a turn, a range that falls, a
/// deviation that is not in [0, 10].
ImageTransform parse_image_transform(std::string_view text);

/// The set after one transform:
///   rotated: about the middle, bilinear; black comes in from outside.
///   inverted: 255 - p.
///   noisy: p + 255 · deviation · n, n standard normal, rounded and cut to [0, 255].
/// What is drawn for an image is a pure function of (seed, its place in the set), so a subset is
/// taken after the transform; another split wants another seed.
/// Throws Error for what parse_image_transform refuses.
ImageSet transformed(const ImageSet& set, const ImageTransform& transform, std::uint64_t seed);
/// One transform after the other; each draws for itself.
ImageSet transformed(const ImageSet& set, std::span<const ImageTransform> transforms,
                     std::uint64_t seed);

}  // namespace basis
