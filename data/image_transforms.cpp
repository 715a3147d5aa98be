#include "data/image_transforms.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>

#include <fmt/format.h>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace basis {
namespace {

using Kind = ImageTransform::Kind;

constexpr std::string_view rotated_prefix = "rotated:";
constexpr std::string_view noisy_prefix = "noisy:";
constexpr std::string_view range_mark = "..";
constexpr double most_deviation = 10;  // all is black or white long before

// Purposes of RandomStream: in the upper half a name with the transform's place in its list added,
// in the lower half the image's place.
constexpr std::uint64_t angle_name = 0x616e676c;  // "angl"
constexpr std::uint64_t noise_name = 0x6e6f6973;  // "nois"

RandomStream stream_of(std::uint64_t seed, std::uint64_t name, std::size_t place,
                       std::int64_t image) {
  return RandomStream(seed, (name + place) << 32 | static_cast<std::uint64_t>(image));
}

// ---- Text ---------------------------------------------------------------------------------------

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error(fmt::format(
      "image transform \"{}\": {}; there are \"rotated:30\" (degrees), \"rotated:-30..30\" (drawn "
      "for each image), \"inverted\", \"noisy:0.2\" (standard deviation, 1 from black to white)",
      text, reason));
}

/// What is wrong with it; empty when nothing is.
std::string_view problem_of(const ImageTransform& transform) {
  const auto is_turn = [](double degrees) { return degrees >= -360 && degrees <= 360; };
  if (!is_turn(transform.low) || !is_turn(transform.high)) return "angles are from -360 to 360";
  if (transform.low > transform.high) return "the range of angles falls";
  if (!(transform.deviation >= 0 && transform.deviation <= most_deviation)) {
    return "standard deviations are from 0 to 10";
  }
  return {};
}

ImageTransform parse_rotation(std::string_view text) {
  const std::string_view value = text.substr(rotated_prefix.size());
  const std::size_t mark = value.find(range_mark);
  const auto low = number_of(value.substr(0, mark));
  const auto high = mark == value.npos ? low : number_of(value.substr(mark + range_mark.size()));
  if (!low || !high) refuse(text, "its angle is no number");
  return {Kind::Rotated, *low, *high, 0};
}

ImageTransform parse_noise(std::string_view text) {
  const auto deviation = number_of(text.substr(noisy_prefix.size()));
  if (!deviation) refuse(text, "its standard deviation is no number");
  return {Kind::Noisy, 0, 0, *deviation};
}

ImageTransform parse_any(std::string_view text) {
  if (text.starts_with(rotated_prefix)) return parse_rotation(text);
  if (text.starts_with(noisy_prefix)) return parse_noise(text);
  if (text == "inverted") return {};
  refuse(text, "unknown");
}

// ---- Pixels -------------------------------------------------------------------------------------

std::uint8_t to_pixel(double value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

/// An image between its pixels.
class Bilinear {
 public:
  Bilinear(std::span<const std::uint8_t> pixels, std::int64_t height, std::int64_t width)
      : pixels_(pixels), height_(height), width_(width) {}

  double at(double y, double x) const {
    const double top = std::floor(y), left = std::floor(x);
    const double down = y - top, right = x - left;
    const auto row = static_cast<std::int64_t>(top);
    const auto column = static_cast<std::int64_t>(left);
    return (1 - down) * ((1 - right) * pixel(row, column) + right * pixel(row, column + 1)) +
           down * ((1 - right) * pixel(row + 1, column) + right * pixel(row + 1, column + 1));
  }

 private:
  double pixel(std::int64_t row, std::int64_t column) const {
    if (row < 0 || row >= height_ || column < 0 || column >= width_) return 0;
    return pixels_[static_cast<std::size_t>(row * width_ + column)];
  }

  std::span<const std::uint8_t> pixels_;
  std::int64_t height_, width_;
};

/// Each pixel of `to` from where it lies in `from` before the rotation.
void rotate(const Bilinear& from, double degrees, std::int64_t height, std::int64_t width,
            std::span<std::uint8_t> to) {
  const double radians = degrees * std::numbers::pi / 180;
  const double cosine = std::cos(radians), sine = std::sin(radians);
  const double middle_y = static_cast<double>(height - 1) / 2;
  const double middle_x = static_cast<double>(width - 1) / 2;
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const double y = static_cast<double>(row) - middle_y;
      const double x = static_cast<double>(column) - middle_x;
      to[static_cast<std::size_t>(row * width + column)] =
          to_pixel(from.at(middle_y + sine * x + cosine * y, middle_x + cosine * x - sine * y));
    }
  }
}

void add_noise(std::span<std::uint8_t> image, double deviation, RandomStream random) {
  for (std::uint8_t& pixel : image) pixel = to_pixel(pixel + 255 * deviation * random.normal());
}

/// `place`: of the transform in its list.
ImageSet apply(const ImageSet& set, const ImageTransform& transform, std::uint64_t seed,
               std::size_t place) {
  if (const auto problem = problem_of(transform); !problem.empty()) {
    refuse(transform.to_string(), problem);
  }
  ImageSet result = set;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < set.count; ++i) {
    const auto image = result.image(i);
    switch (transform.kind) {
      case Kind::Rotated: {
        const double share = stream_of(seed, angle_name, place, i).uniform();
        rotate(Bilinear(set.image(i), set.height, set.width),
               transform.low + share * (transform.high - transform.low), set.height, set.width,
               image);
        break;
      }
      case Kind::Inverted:
        for (std::uint8_t& pixel : image) pixel = static_cast<std::uint8_t>(255 - pixel);
        break;
      case Kind::Noisy:
        add_noise(image, transform.deviation, stream_of(seed, noise_name, place, i));
        break;
    }
  }
  return result;
}

}  // namespace

std::string ImageTransform::to_string() const {
  switch (kind) {
    case Kind::Rotated:
      return low == high ? fmt::format("{}{}", rotated_prefix, low)
                         : fmt::format("{}{}{}{}", rotated_prefix, low, range_mark, high);
    case Kind::Inverted:
      return "inverted";
    case Kind::Noisy:
      return fmt::format("{}{}", noisy_prefix, deviation);
  }
  return "";
}

ImageTransform parse_image_transform(std::string_view text) {
  const ImageTransform transform = parse_any(text);
  if (const auto problem = problem_of(transform); !problem.empty()) refuse(text, problem);
  return transform;
}

ImageSet transformed(const ImageSet& set, const ImageTransform& transform, std::uint64_t seed) {
  return apply(set, transform, seed, 0);
}

ImageSet transformed(const ImageSet& set, std::span<const ImageTransform> transforms,
                     std::uint64_t seed) {
  ImageSet result = set;
  for (std::size_t place = 0; place < transforms.size(); ++place) {
    result = apply(result, transforms[place], seed, place);
  }
  return result;
}

}  // namespace basis
