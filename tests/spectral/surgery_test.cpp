#include "spectral/surgery.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/error.h"

namespace basis {
namespace {

constexpr std::int64_t out = 14, in = 9, k = 4;

double square(double x) {
  return x * x;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  const Matrix difference = subtract(a, b);
  double largest = 0;
  for (const double value : difference.elements()) largest = std::max(largest, std::abs(value));
  return largest;
}

class PartsOfAChange : public testing::TestWithParam<BasisKind> {
 protected:
  Matrix weight_ = random_gaussian(out, in, 1, 0), change_ = random_gaussian(out, in, 2, 0);
  Basis basis_ = select_basis(svd(weight_), GetParam(), k, 7);
  Matrix part(ChangePart part) const { return part_of_change(change_, basis_, part); }
};

TEST_P(PartsOfAChange, AddUpToIt) {
  const Matrix core = part(ChangePart::Core);
  const Matrix sides = subtract(add(part(ChangePart::Left), part(ChangePart::Right)), core);
  EXPECT_LT(largest_difference(add(sides, part(ChangePart::Outside)), change_), 1e-13);
}

TEST_P(PartsOfAChange, AreOrthogonal) {
  const Matrix core = part(ChangePart::Core), outside = part(ChangePart::Outside);
  const Matrix left = subtract(part(ChangePart::Left), core),
               right = subtract(part(ChangePart::Right), core);
  const double sum = square(frobenius_norm(core)) + square(frobenius_norm(outside)) +
                     square(frobenius_norm(left)) + square(frobenius_norm(right));
  EXPECT_NEAR(sum, square(frobenius_norm(change_)), 1e-11);
  EXPECT_NEAR(inner_product(left, right), 0, 1e-12);
}

TEST_P(PartsOfAChange, HaveTheDiagonalInsideTheCore) {
  const Matrix diagonal = part(ChangePart::Diagonal);
  EXPECT_LT(largest_difference(part_of_change(diagonal, basis_, ChangePart::Core), diagonal),
            1e-13);
  EXPECT_NEAR(inner_product(diagonal, subtract(part(ChangePart::Core), diagonal)), 0, 1e-12);
  EXPECT_LT(frobenius_norm(diagonal), frobenius_norm(part(ChangePart::Core)));
}

INSTANTIATE_TEST_SUITE_P(Bases, PartsOfAChange,
                         testing::Values(BasisKind::Leading, BasisKind::Trailing,
                                         BasisKind::Random));

TEST(PartOfChange, OfAWholeBasisLeavesNothingOutside) {
  const Basis whole = select_basis(svd(random_gaussian(5, 5, 1, 0)), BasisKind::Leading, 5, 0);
  const Matrix change = random_gaussian(5, 5, 2, 0);
  EXPECT_LT(frobenius_norm(part_of_change(change, whole, ChangePart::Outside)), 1e-13);
  EXPECT_LT(largest_difference(part_of_change(change, whole, ChangePart::Core), change), 1e-13);
}

TEST(PartOfChange, RefusesABasisOfAnotherShape) {
  const Basis basis = select_basis(svd(random_gaussian(5, 6, 1, 0)), BasisKind::Leading, 2, 0);
  EXPECT_THROW(part_of_change(random_gaussian(6, 5, 2, 0), basis, ChangePart::Core), ShapeError);
}

TEST(RandomOfNorm, HasIt) {
  EXPECT_NEAR(frobenius_norm(random_of_norm(7, 3, 0.25, 1)), 0.25, 1e-15);
}

class Lesions : public testing::TestWithParam<LesionKind> {};

TEST_P(Lesions, TakeOutExactlyTheirEnergy) {
  const Matrix weight = random_gaussian(out, in, 1, 0);
  const Svd decomposition = svd(weight);
  for (const double share : {0.0, 0.003, 0.1, 0.5, 0.97, 1.0}) {
    const Matrix removed = subtract(weight, lesioned(decomposition, GetParam(), share, 3));
    EXPECT_NEAR(square(frobenius_norm(removed)), share * square(frobenius_norm(weight)), 1e-11)
        << share;
  }
  EXPECT_LT(frobenius_norm(lesioned(decomposition, GetParam(), 1, 3)), 1e-7);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Lesions,
                         testing::Values(LesionKind::Leading, LesionKind::Trailing,
                                         LesionKind::Random));

TEST(Lesion, OfLeadingComponentsLeavesTheTrailingOnesAlone) {
  const Svd decomposition = svd(random_gaussian(out, in, 1, 0));
  const double first = square(decomposition.sigma[0]);
  double whole = 0;
  for (const double sigma : decomposition.sigma) whole += square(sigma);
  const Svd left = svd(lesioned(decomposition, LesionKind::Leading, first / whole, 0));
  for (std::size_t i = 0; i + 1 < decomposition.sigma.size(); ++i) {
    EXPECT_NEAR(left.sigma[i], decomposition.sigma[i + 1], 1e-7) << i;
  }
}

TEST(Lesion, DrawsItsOrderBySeed) {
  const Svd decomposition = svd(random_gaussian(out, in, 1, 0));
  const auto left = [&](std::uint64_t seed) {
    return lesioned(decomposition, LesionKind::Random, 0.5, seed).elements();
  };
  EXPECT_EQ(left(1), left(1));
  EXPECT_NE(left(1), left(2));
}

TEST(Lesion, RefusesAShareThatIsNone) {
  const Svd decomposition = svd(random_gaussian(out, in, 1, 0));
  for (const double share : {-0.1, 1.1, std::nan("")}) {
    EXPECT_THROW(lesioned(decomposition, LesionKind::Leading, share, 0), Error);
  }
}

}  // namespace
}  // namespace basis
