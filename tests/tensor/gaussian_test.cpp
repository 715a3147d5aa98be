#include "tensor/gaussian.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

namespace basis {
namespace {

std::vector<double> draws(std::int64_t count) {
  std::vector<double> all;
  for (std::int64_t block = 0; block < count / 4; ++block) {
    const NormalFour four = normal_four(
        philox4x32(noise_counter(static_cast<std::uint32_t>(block), 3), noise_key(1, 2)));
    for (const float one : four.at) all.push_back(one);
  }
  return all;
}

TEST(Gaussian, IsTheFormulaOfBoxAndMuller) {
  std::vector<std::uint32_t> words = {0,          1,          2,          0x7fffffff, 0x80000000,
                                      0xb504f333, 0xb504f334, 0xffffff00, 0xffffffff};
  for (int i = 0; i < 1000; ++i) words.push_back(static_cast<std::uint32_t>(i) * 2654435761u);
  for (const std::uint32_t word0 : words) {
    for (const std::uint32_t word1 : words) {
      const double share = std::ldexp(std::max(0.5, static_cast<double>(word0)), -32);
      const double radius = std::sqrt(-2 * std::log(share));
      const auto place = static_cast<double>(static_cast<std::int32_t>(word1 << 2));
      const double angle = ((word1 >> 30) + std::ldexp(place, -32)) * (std::numbers::pi / 2);
      const NormalPair pair = normal_pair(word0, word1);
      // f32 knows a share near 1 to 2^-25, its root to 3e-4 where it is nearly 0; else 1e-6.
      const double error = share > 0.9999 ? 5e-4 : 1e-6;
      ASSERT_NEAR(pair.first, radius * std::cos(angle), error) << word0 << " " << word1;
      ASSERT_NEAR(pair.second, radius * std::sin(angle), error) << word0 << " " << word1;
    }
  }
}

// Of n draws a moment's standard error is its own deviation over sqrt(n); five of them.
TEST(Gaussian, HasTheMomentsAndTailsOfTheNormalDistribution) {
  constexpr std::int64_t n = 1 << 20;
  const std::vector<double> all = draws(n);
  double mean = 0, square = 0, fourth = 0, neighbours = 0;
  std::int64_t beyond_four = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = all[static_cast<std::size_t>(i)];
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
    neighbours += x * all[static_cast<std::size_t>((i + 1) % n)] / n;
    beyond_four += std::abs(x) > 4;
  }
  const double error = 5 / std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(mean, 0, error);
  EXPECT_NEAR(square, 1, std::sqrt(2.0) * error);
  EXPECT_NEAR(fourth, 3, std::sqrt(96.0) * error);
  EXPECT_NEAR(neighbours, 0, error);
  const double expected = n * std::erfc(4 / std::numbers::sqrt2);  // 66
  EXPECT_NEAR(static_cast<double>(beyond_four), expected, 5 * std::sqrt(expected));
}

TEST(Gaussian, FollowsTheNormalDistributionEverywhere) {
  constexpr std::int64_t n = 1 << 18;
  std::vector<double> all = draws(n);
  std::sort(all.begin(), all.end());
  double distance = 0;  // Kolmogorov's
  for (std::int64_t i = 0; i < n; ++i) {
    const double share = std::erfc(-all[static_cast<std::size_t>(i)] / std::numbers::sqrt2) / 2;
    distance = std::max(distance, std::abs(share - (static_cast<double>(i) + 0.5) / n));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(static_cast<double>(n)));  // passed by 99.9 % of samples
}

}  // namespace
}  // namespace basis
