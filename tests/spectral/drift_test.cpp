#include "spectral/drift.h"

#include <cmath>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t out = 24, in = 16, k = 6;

Matrix changed(const Matrix& start, double size, std::uint64_t seed) {
  Matrix change = random_gaussian(out, in, seed, 3);
  scale(change, size * frobenius_norm(start) / frobenius_norm(change));
  return add(start, change);
}

// The curves of the leading k alone must be those of the whole bases.
TEST(WeightDrifts, AgreeWithTheWholeDecompositions) {
  const Matrix start = random_gaussian(out, in, 1, 0);
  const Matrix s = changed(start, 0.03, 2), t = changed(start, 0.05, 3);
  WeightDrifts drifts(start, k);
  const std::size_t first = drifts.add(s), second = drifts.add(t);
  const WeightDrifts::Pair pair = drifts.compare(first, second);
  const SidedCurves whole = co_drift(svd(start), svd(s), svd(t));
  const Curve rotation = rotation_between(svd(start).v, svd(s).v);
  ASSERT_EQ(pair.co_drift.u.size(), static_cast<std::size_t>(k));
  for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
    EXPECT_NEAR(pair.co_drift.u[i], whole.u[i], 1e-9) << i;
    EXPECT_NEAR(pair.co_drift.v[i], whole.v[i], 1e-9) << i;
    EXPECT_NEAR(drifts.rotation(0).v[i], rotation[i], 1e-12) << i;
  }
  EXPECT_NEAR(pair.cosine, cosine(subtract(s, start), subtract(t, start)), 1e-12);
}

TEST(WeightDrifts, OfOneChangeTwiceIsOneAndOfGaussianOnesNearZero) {
  const Matrix start = random_gaussian(96, 80, 1, 0);
  Matrix change = random_gaussian(96, 80, 5, 0);
  scale(change, 0.01 * frobenius_norm(start) / frobenius_norm(change));
  WeightDrifts drifts(start, 8);
  const std::size_t one = drifts.add(add(start, change)), again = drifts.add(add(start, change));
  const std::size_t gaussian = drifts.add_gaussian(one, 9, 0),
                    other = drifts.add_gaussian(one, 9, 1);
  EXPECT_NEAR(drifts.compare(one, again).co_drift.u.back(), 1, 1e-9);
  // A Gaussian drift turns 8 vectors in 88 further directions: a cosine of 1/sqrt(700) or so.
  EXPECT_LT(std::abs(drifts.compare(gaussian, other).co_drift.u.back()), 0.2);
  EXPECT_LT(std::abs(drifts.compare(gaussian, other).cosine), 0.05);
}

TEST(WeightDrifts, RefuseAnotherShape) {
  WeightDrifts drifts(random_gaussian(out, in, 1, 0), k);
  EXPECT_THROW(drifts.add(random_gaussian(in, out, 1, 0)), ShapeError);
}

}  // namespace
}  // namespace basis
